package export_test

import (
	"crypto/sha256"
	"fmt"
	"github.com/gaenkit/gaen/export"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano())
}
func meas(n int, f func()) (w, c time.Duration) {
	f()
	s := time.Now()
	u := cpu()
	for range n {
		f()
	}
	return time.Since(s) / time.Duration(n), (cpu() - u) / time.Duration(n)
}
func TestZZ(t *testing.T) {
	for _, n := range []int{100, 300, 1000, 3000, 10000, 100000, 358105, 750000} {
		if os.Getenv("ZN") != "" && os.Getenv("ZN") != fmt.Sprint(n) {
			continue
		}
		c := &export.Content{Start: start, End: end, Region: "EUR", Keys: production(1, n)}
		rand.New(rand.NewPCG(7, 8)).Shuffle(n, func(i, j int) { c.Keys[i], c.Keys[j] = c.Keys[j], c.Keys[i] })
		s := oneSigner(t)
		a := mustWrite(t, c, s, nil)
		a9 := mustWrite(t, c, s, &export.WriteOptions{Level: 9})
		var st countingWriter
		stockWrite(&st, c, s[0])
		bin := entry(t, a, "export.bin")
		if string(bin) != string(entry(t, a9, "export.bin")) {
			t.Error("differ")
		}
		f := float64(n)
		fmt.Printf("n=%d ours %.3f l9 %.3f stock6 %.3f  (%.1f%%)", n, float64(len(a))/f, float64(len(a9))/f, float64(st)/f, 100-100*float64(len(a))/float64(st))
		reps := 1 + 2000000/n
		if os.Getenv("ZN") == "" {
			reps = 1 + 200000/n
		}
		w, u := meas(reps, func() { export.Write(io.Discard, c, s, nil) })
		hw, hu := meas(reps, func() { sha256.Sum256(bin) })
		sw, su := time.Duration(1), time.Duration(1)
		sw, su = meas(1+reps/10, func() { stockWrite(io.Discard, c, s[0]) })
		fmt.Printf(" ours wall %v cpu %v; sha %v %v; stock %v %v; ratio wall %.1f cpu %.1f; /sha wall %.2f cpu %.2f\n", w, u, hw, hu, sw, su, float64(sw)/float64(w), float64(su)/float64(u), float64(w)/float64(hw), float64(u)/float64(hu))
	}
}
