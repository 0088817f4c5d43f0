// Package deploy is what the example programs have in common: a configuration
// with every parameter that a deployment may want to change, what the library
// makes of it, and the check of a published tree.
//
// The groups and defaults are those of the German distribution service.
package deploy
