// Package partner is what the programs have in common that are clients of
// federation servers: an [Instance], as a configuration says it, and an [Exchange],
// which is an instance at work.
//
// An instance is made for one protocol, which it names; everything else here knows
// none. Its secrets are not in the configuration: a [Secret] says where one is.
package partner
