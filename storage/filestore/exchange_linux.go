package filestore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// renameExchange is RENAME_EXCHANGE of linux/fs.h.
const renameExchange = 2

// renameat2 is the number of the system call; the standard library has it for
// its own use only. Architectures that are not here use links.
var renameat2 = map[string]uintptr{
	"amd64":   316,
	"arm64":   276,
	"loong64": 276,
	"riscv64": 276,
	"s390x":   347,
}[runtime.GOARCH]

// exchange swaps the directory entries a in aDir and b in bDir in one atomic
// step. If kernel or file system cannot, the error satisfies
// errors.Is(err, errors.ErrUnsupported) and nothing has changed.
func exchange(aDir *os.File, a string, bDir *os.File, b string) error {
	if renameat2 == 0 {
		return errors.ErrUnsupported
	}
	aPtr, err := syscall.BytePtrFromString(a)
	if err != nil {
		return err
	}
	bPtr, err := syscall.BytePtrFromString(b)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(renameat2,
		aDir.Fd(), uintptr(unsafe.Pointer(aPtr)), bDir.Fd(), uintptr(unsafe.Pointer(bPtr)), renameExchange, 0)
	runtime.KeepAlive(aDir)
	runtime.KeepAlive(bDir)
	return exchangeError(errno)
}

// exchangeError tells "cannot here" (NFS and many FUSE file systems say
// EINVAL, old kernels ENOSYS, some overlays EXDEV) from "failed".
func exchangeError(errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EXDEV:
		return fmt.Errorf("renameat2: %v: %w", errno, errors.ErrUnsupported)
	default:
		return os.NewSyscallError("renameat2", errno)
	}
}
