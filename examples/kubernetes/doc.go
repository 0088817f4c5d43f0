// Package kubernetes has deployments of examples/nationalbackend in Kubernetes: as a
// service (serve.yaml) and as a job that is run once a minute (cronjob.yaml). Its tests
// read them as the API server would, with no field that it does not know, and run the
// program with the configuration in them.
package kubernetes
