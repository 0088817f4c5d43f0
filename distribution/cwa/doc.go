// Package cwa is the layout of the German back end, cwa-server: the tree that
// the Corona-Warn-App reads.
//
//	version                                                      ["v1"]
//	version/v1/diagnosis-keys/country                            ["DE","EUR"]
//	version/v1/diagnosis-keys/country/DE/date                    ["2020-06-10","2020-06-11"]
//	version/v1/diagnosis-keys/country/DE/date/2020-06-11         the archive of a day
//	version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour    [0,1,2]
//	version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5  the archive of an hour
//
// A directory and an object share a name. Object stores take that; where names
// are paths of a file system, [Options.Index] keeps each as a file of its own,
// as the seed document does (date/2020-06-11/index).
//
// Every hour and every day has an archive, signed and without keys where there
// were none: that it is there says that the run took place. The hour and the day
// in progress have none.
//
// # Compatibility
//
// Names, indexes and headers are those of cwa-server as it was left in 2023,
// with the hash of the seed document. Archives for its app need the publication
// map [github.com/gaenkit/gaen/distribution.CWA].
package cwa
