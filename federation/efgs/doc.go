// Package efgs speaks the protocol of the European federation gateway.
package efgs
