// Package nation is a national back end: what phones submit is taken in, keys are
// exchanged with any number of federation servers, and what is due is published. The
// programs nationalbackend and lambda run it.
//
// All of it is one function, [Backend.Tick], which pulls, makes the cut, pushes and
// publishes, in this order, and may be called at any time by any number of
// processes.
package nation
