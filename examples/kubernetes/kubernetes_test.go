package kubernetes_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/gaenkit/gaen/examples/internal/nation"
)

// deployment is what is in the files.
type deployment struct {
	configuration core.ConfigMap
	account       core.ServiceAccount
	serve         apps.Deployment
	service       core.Service
	budget        policy.PodDisruptionBudget
	job           batch.CronJob
}

// read reads the objects of a file, in their order. A field that an object has not is
// an error.
func read(t *testing.T, name string, objects ...any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := bytes.Split(text, []byte("\n---\n"))
	if len(parts) != len(objects) {
		t.Fatalf("%s has %d objects, want %d", name, len(parts), len(objects))
	}
	for i, o := range objects {
		if err := yaml.UnmarshalStrict(parts[i], o); err != nil {
			t.Fatalf("%s, object %d: %v", name, i, err)
		}
	}
}

func readAll(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{}
	read(t, "configuration.yaml", &d.configuration, &d.account)
	read(t, "serve.yaml", &d.serve, &d.service, &d.budget)
	read(t, "cronjob.yaml", &d.job)
	return d
}

// config returns the configuration as the program reads it.
func (d *deployment) config(t *testing.T) *nation.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backend.json")
	if err := os.WriteFile(path, []byte(d.configuration.Data["backend.json"]), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := nation.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pods are the templates, by the subcommand that they run.
func (d *deployment) pods() map[string]*core.PodSpec {
	return map[string]*core.PodSpec{
		"serve": &d.serve.Spec.Template.Spec,
		"tick":  &d.job.Spec.JobTemplate.Spec.Template.Spec,
	}
}

// TestConfiguration has the program read what it will be given, and try all of it
// without asking anybody.
func TestConfiguration(t *testing.T) {
	if err := readAll(t).config(t).Rehearse(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKinds: each object is of the kind and version that its type stands for.
func TestKinds(t *testing.T) {
	d := readAll(t)
	for want, got := range map[string]string{
		"v1 ConfigMap": d.configuration.APIVersion + " " + d.configuration.Kind, "v1 ServiceAccount": d.account.APIVersion + " " + d.account.Kind,
		"apps/v1 Deployment": d.serve.APIVersion + " " + d.serve.Kind, "v1 Service": d.service.APIVersion + " " + d.service.Kind,
		"policy/v1 PodDisruptionBudget": d.budget.APIVersion + " " + d.budget.Kind, "batch/v1 CronJob": d.job.APIVersion + " " + d.job.Kind,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestPods: a pod runs the subcommand with the configuration that it is given, may do
// nothing else, and finds the keys that the configuration names.
func TestPods(t *testing.T) {
	d := readAll(t)
	config := d.config(t)
	for command, pod := range d.pods() {
		c := pod.Containers[0]
		if want := []string{command, "-config", "/etc/gaen/backend.json"}; !slices.Equal(c.Args, want) {
			t.Errorf("%s: args are %q, want %q", command, c.Args, want)
		}
		mounts := map[string]string{}
		for _, m := range c.VolumeMounts {
			mounts[m.Name] = m.MountPath
		}
		for _, v := range pod.Volumes {
			switch {
			case v.ConfigMap != nil && v.ConfigMap.Name != d.configuration.Name:
				t.Errorf("%s: there is no configuration %s", command, v.ConfigMap.Name)
			case mounts[v.Name] == "":
				t.Errorf("%s: volume %s is mounted nowhere", command, v.Name)
			}
		}
		for _, key := range []string{config.Paths.PrivateKey, config.Submission.SigningKey.File} {
			if !strings.HasPrefix(key, mounts["keys"]+"/") {
				t.Errorf("%s: the key %s is not below %s", command, key, mounts["keys"])
			}
		}
		if pod.ServiceAccountName != d.account.Name {
			t.Errorf("%s: there is no account %s", command, pod.ServiceAccountName)
		}
		if s := c.SecurityContext; s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !*pod.SecurityContext.RunAsNonRoot {
			t.Errorf("%s: a container may do more than it has to", command)
		}
	}
}

// TestPorts: what is asked and probed is where the program listens.
func TestPorts(t *testing.T) {
	d := readAll(t)
	config := d.config(t)
	ports := map[string]int32{}
	c := d.pods()["serve"].Containers[0]
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if ports["phones"] != 8080 || config.Submission.Listen != ":8080" || ports["operations"] != 9090 || config.Operations.Listen != ":9090" {
		t.Errorf("ports are %v; the program listens at %s and %s", ports, config.Submission.Listen, config.Operations.Listen)
	}
	for _, p := range []*core.Probe{c.LivenessProbe, c.StartupProbe} {
		if p.HTTPGet.Path != "/healthz" || p.HTTPGet.Port.StrVal != "operations" {
			t.Errorf("a probe asks %s of %s", p.HTTPGet.Path, p.HTTPGet.Port.StrVal)
		}
	}
	if target := d.service.Spec.Ports[0].TargetPort.StrVal; target != "phones" {
		t.Errorf("the service asks %s", target)
	}
	for k, v := range d.serve.Spec.Selector.MatchLabels {
		if d.serve.Spec.Template.Labels[k] != v || d.service.Spec.Selector[k] != v || d.budget.Spec.Selector.MatchLabels[k] != v {
			t.Errorf("not all select %s=%s", k, v)
		}
	}
}
