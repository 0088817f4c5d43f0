// Package authority makes the certificates that the European protocol needs, for
// tests and for trying things out: of a gateway, and of each country those to
// authenticate with, to sign with, and to be called back at. [Folder] keeps them in
// files, with the gateway's list of them, which its trust anchor has signed.
//
// The keys lie beside their certificates. In earnest they are made where they are
// used, and the trust anchor's is on no machine that is connected to anything.
package authority
