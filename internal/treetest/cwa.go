package treetest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A CWA is a back end that runs cwa-server.
type CWA struct {
	Signer
	HourDays int // of how many days, the present one among them, there are hours

	// Index is the name of what a directory is kept as, where names are paths of
	// files; empty for an object store.
	Index string
}

// codes are what cwa-server puts in the place of report type and days since onset,
// by the transmission risk level.
var codes = [9][2]int32{{}, {4, 1}, {4, 2}, {3, 1}, {3, 2}, {2, 1}, {2, 2}, {1, 1}, {1, 2}}

// Tree returns what has been published by now of the keys of each country since the
// day of from: hours and days that are over, empty ones too. Keys with a risk below 3
// are left out.
func (c *CWA) Tree(countries map[string][]Key, from, now time.Time) map[string]Object {
	tree := map[string]Object{}
	c.index(tree, "version", []string{"v1"})
	const root = "version/v1/diagnosis-keys/country"
	c.index(tree, root, slices.Sorted(maps.Keys(countries)))
	today := now.UTC().Truncate(24 * time.Hour)
	for country, keys := range countries {
		keys = coded(keys)
		dates := []string{}
		for d := from.UTC().Truncate(24 * time.Hour); !d.After(today); d = d.AddDate(0, 0, 1) {
			path := root + "/" + country + "/date/" + d.Format(time.DateOnly)
			if d.Before(today) {
				dates = append(dates, d.Format(time.DateOnly))
				c.put(tree, path, country, d, d.AddDate(0, 0, 1), keys)
			}
			if d.Before(today.AddDate(0, 0, 1-c.HourDays)) {
				continue
			}
			hours := []int{}
			for h := range 24 {
				start := d.Add(time.Duration(h) * time.Hour)
				if start.Add(time.Hour).After(now) {
					break
				}
				hours = append(hours, h)
				c.put(tree, fmt.Sprintf("%s/hour/%d", path, h), country, start, start.Add(time.Hour), keys)
			}
			if len(hours) > 0 {
				c.index(tree, path+"/hour", hours)
			}
		}
		c.index(tree, root+"/"+country+"/date", dates)
	}
	return tree
}

func coded(keys []Key) (all []Key) {
	for _, k := range keys {
		if k.Risk >= 3 {
			k.ReportType, k.Onset = codes[k.Risk][0], codes[k.Risk][1]
			all = append(all, k)
		}
	}
	return all
}

func (c *CWA) put(tree map[string]Object, path, country string, start, end time.Time, keys []Key) {
	file, bin := c.archive(start, end, country, within(keys, start, end))
	c.object(tree, path, file, bin, "application/zip")
}

func (c *CWA) index(tree map[string]Object, path string, list any) {
	content := must(json.Marshal(list))
	c.object(tree, path, content, content, "application/json")
}

// object adds an object, with the hash of what is in it: the hexadecimal MD5 of the
// raw MD5.
func (c *CWA) object(tree map[string]Object, path string, body, hashed []byte, contentType string) {
	if c.Index != "" {
		path += "/" + c.Index
	}
	inner := md5.Sum(hashed)
	outer := md5.Sum(inner[:])
	tree[path] = Object{
		Body: body, ContentType: contentType, CacheControl: "public,max-age=300",
		Metadata: map[string]string{"cwa-hash": hex.EncodeToString(outer[:])},
	}
}
