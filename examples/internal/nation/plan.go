package nation

import (
	"fmt"
	"strings"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
)

// Plan says in words what the back end would do.
func (c *Config) Plan() string {
	b := &strings.Builder{}
	s := &c.Submission
	if s.Listen == "" {
		fmt.Fprintln(b, "takes no submissions")
	} else {
		fmt.Fprintf(b, "takes submissions at %s%s, by the authorizer %q; answers are signed with the key in %s\n", s.Listen, s.Path, s.Authorizer, s.SigningKey)
	}
	fmt.Fprintf(b, "looks every %s: pull, cut each %s, push, publish at the latest %s after the cut\n",
		time.Duration(c.Schedule.Every), time.Duration(c.Release.Grid), time.Duration(c.Schedule.PushBarrier))
	for i := range c.Instances {
		in := &c.Instances[i]
		fmt.Fprintf(b, "%s: %s\n", in.Name, strings.Join(in.Plan(), ", "))
	}
	for _, layout := range c.API.Layouts {
		packages, err := c.PackagesOf(layout)
		if err != nil {
			return b.String() // Rehearse has said why
		}
		var names []string
		for _, p := range packages {
			names = append(names, p.Name)
		}
		fmt.Fprintf(b, "publishes %s in the layout %s\n", strings.Join(names, ", "), layout)
	}
	return b.String()
}

// MakeKeys makes the signing keys that are files and missing, and returns their
// paths.
func (c *Config) MakeKeys() (made []string, err error) {
	var places []string
	for _, k := range c.SigningKeys() {
		places = append(places, k.PrivateKey)
	}
	if c.HasLayout(deploy.NHS) {
		places = append(places, c.Paths.MetadataKey)
	}
	if c.Submission.Listen != "" {
		places = append(places, c.Submission.SigningKey.File)
	}
	for i := range c.Instances {
		if in := &c.Instances[i]; in.Protocol != partner.EFGS { // whose keys come with certificates
			places = append(places, in.SigningKey.File)
		}
	}
	for _, place := range places {
		if place == "" {
			continue
		}
		path := partner.PathIn(c.dir, place)
		new, err := partner.MakeKey(path)
		if err != nil {
			return made, err
		}
		if new {
			made = append(made, path)
		}
	}
	return made, nil
}
