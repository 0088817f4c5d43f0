package treetest

import (
	"encoding/base64"
	"fmt"
	"time"
)

// An NHS is a back end that runs the British distribution.
type NHS struct {
	Signer
	Metadata Signer // of the metadata of objects
}

const offset = -15 * time.Minute

// Tree returns what a run has written: the files of two hours of 14 days, and of days,
// that of the present day among them, which its header says is over. The run's time is
// the end of the newest two hours, moved, and a minute or two later.
func (n *NHS) Tree(keys []Key, run time.Time) map[string]Object {
	tree := map[string]Object{}
	even := run.UTC().Add(-offset).Truncate(2 * time.Hour)
	for i := range 168 {
		n.put(tree, "two-hourly", even.Add(-time.Duration(i)*2*time.Hour), 2*time.Hour, keys, run)
	}
	day := even.Add(-1).Truncate(24*time.Hour).AddDate(0, 0, 1)
	for i := range 15 {
		n.put(tree, "daily", day.AddDate(0, 0, -i), 24*time.Hour, keys, run)
	}
	return tree
}

func (n *NHS) put(tree map[string]Object, kind string, end time.Time, period time.Duration, keys []Key, run time.Time) {
	from, to := end.Add(offset-period), end.Add(offset)
	file, _ := n.archive(from, to, "", within(keys, from, to))
	date := run.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC")
	signature := base64.StdEncoding.EncodeToString(n.Metadata.der([]byte(date + ":" + string(file))))
	tree[fmt.Sprintf("distribution/%s/%s.zip", kind, end.Format("2006010215"))] = Object{
		Body: file, ContentType: "application/zip",
		Metadata: map[string]string{"signature": fmt.Sprintf(`keyId="%s",signature="%s"`, n.Metadata.ID, signature), "signature-date": date},
	}
}
