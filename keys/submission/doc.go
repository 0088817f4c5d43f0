// Package submission reads and writes the JSON in which the British back end
// stores what phones submit and what comes by federation, one object each:
//
//	{"temporaryExposureKeys": [{
//		"key":                      "<16 bytes in base64>",
//		"rollingStartNumber":       2655792,
//		"rollingPeriod":            144,
//		"transmissionRisk":         5,
//		"daysSinceOnsetOfSymptoms": -3
//	}]}
//
// The onset is left out where it is not known. [Parse] also takes the form in
// which apps send it, where the risk is called transmissionRiskLevel and stands
// for 7 if it is left out.
//
// # What the format has no field for
//
// Readers of the format pass over fields that they do not know. So [Append] says
// there what else a key says, and Parse reads it, at the key or, for all of
// them, beside temporaryExposureKeys:
//
//	testKit            "LAB_RESULT", "RAPID_RESULT", "RAPID_SELF_REPORTED"
//	reportType         0 .. 5, the numbers of the archive format
//	regions            of interest beside the origin, as a list of codes
//	consentToFederate  true, false
//	variantOfConcern   0 .. 4
//
// and beside temporaryExposureKeys only: id, the submission's own name, and
// origin.
//
// # Errors
//
// A key that cannot be read is a [*keys.Rejection] with field and reason. No
// error quotes what it was read from: key data may stand anywhere.
package submission
