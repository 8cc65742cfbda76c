//go:build (linux || darwin) && (amd64 || arm64)

package mpi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/seed-49005b45/tarn/dist"
)

// This file opens a library and finds out which of the three binary interfaces it has. A handle, such as a communicator, is a pointer in Open MPI,
// a number of 4 bytes in MPICH and its relatives, and a pointer with a fixed small value for what is predefined in the standard ABI of MPI 5. All fit into a
// uintptr.

// abi has the handles and constants of a library.
type abi struct {
	name         string
	world        uintptr
	types        [3]uintptr // by dist.Type
	bytes        uintptr
	sum          uintptr
	inPlace      uintptr
	errorsReturn uintptr
	multiple     int32 // MPI_THREAD_MULTIPLE
}

var (
	standardABI = abi{"the ABI of MPI 5", 0x101, [3]uintptr{dist.F32: 0x210, dist.F64: 0x214, dist.I64: 0x258}, 0x247, 0x21, 1, 0x143, 4096}
	mpichABI    = abi{"MPICH", 0x44000000, [3]uintptr{dist.F32: 0x4c00040a, dist.F64: 0x4c00080b, dist.I64: 0x4c00083a}, 0x4c00010d, 0x58000003, ^uintptr(0), 0x54000001, 3}
)

// library is an opened MPI library.
type library struct {
	abi
	file, version string

	initialized   func(flag *int32) int32
	initThread    func(argc, argv unsafe.Pointer, required int32, provided *int32) int32
	finalize      func() int32
	rank          func(comm uintptr, rank *int32) int32
	size          func(comm uintptr, size *int32) int32
	dup           func(comm uintptr, into *uintptr) int32
	split         func(comm uintptr, color, key int32, into *uintptr) int32
	onError       func(comm, handler uintptr) int32
	allreduce     func(send uintptr, receive unsafe.Pointer, count int32, dtype, op, comm uintptr) int32
	reduceScatter func(send, receive unsafe.Pointer, count int32, dtype, op, comm uintptr) int32
	allgather     func(send unsafe.Pointer, sent int32, sendType uintptr, receive unsafe.Pointer, received int32, receiveType, comm uintptr) int32
	alltoall      func(send unsafe.Pointer, sent int32, sendType uintptr, receive unsafe.Pointer, received int32, receiveType, comm uintptr) int32
	bcast         func(x unsafe.Pointer, count int32, dtype uintptr, root int32, comm uintptr) int32
	barrier       func(comm uintptr) int32
	abort         func(comm uintptr, code int32) int32
	errorString   func(code int32, text *byte, length *int32) int32
	getVersion    func(text *byte, length *int32) int32
}

// open opens the first of the files that is an MPI library.
func open(l launcher) (*library, error) {
	var failed []error
	for _, file := range l.files {
		handle, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			if _, missing := os.Stat(file); len(l.files) == 1 || !strings.ContainsRune(file, '/') || !errors.Is(missing, fs.ErrNotExist) {
				failed = append(failed, err)
			}
			continue
		}
		lib := &library{file: file}
		if err := lib.bind(handle); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", file, err))
			continue
		}
		return lib, nil
	}
	return nil, fmt.Errorf("mpi: the process was started by %s, and no MPI library can be opened: install the one that it belongs to, or set %s to its file: %w", l.Name, libraryVariable, errors.Join(failed...))
}

// bind looks up the functions and finds out the ABI.
func (l *library) bind(handle uintptr) error {
	for _, f := range []struct {
		name string
		into any
	}{
		{"MPI_Initialized", &l.initialized}, {"MPI_Init_thread", &l.initThread}, {"MPI_Finalize", &l.finalize}, {"MPI_Comm_rank", &l.rank},
		{"MPI_Comm_size", &l.size}, {"MPI_Comm_dup", &l.dup}, {"MPI_Comm_split", &l.split}, {"MPI_Comm_set_errhandler", &l.onError},
		{"MPI_Allreduce", &l.allreduce}, {"MPI_Reduce_scatter_block", &l.reduceScatter}, {"MPI_Allgather", &l.allgather}, {"MPI_Alltoall", &l.alltoall},
		{"MPI_Bcast", &l.bcast}, {"MPI_Barrier", &l.barrier}, {"MPI_Abort", &l.abort}, {"MPI_Error_string", &l.errorString},
		{"MPI_Get_library_version", &l.getVersion},
	} {
		symbol, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return err
		}
		purego.RegisterFunc(f.into, symbol)
	}
	text, n := make([]byte, 1<<14), int32(0)
	l.getVersion(&text[0], &n)
	l.version, _, _ = strings.Cut(string(text[:min(max(0, int(n)), len(text))]), "\n")
	l.version = strings.Trim(strings.Join(strings.Fields(l.version), " "), " ,\x00")

	// The standard ABI has a function that the others lack; a library may have both kinds of symbols only if it has no pointers.
	if _, err := purego.Dlsym(handle, "ompi_mpi_comm_world"); err == nil {
		l.abi = abi{name: "Open MPI", inPlace: 1, multiple: 3}
		for _, s := range []struct {
			name string
			into *uintptr
		}{
			{"ompi_mpi_comm_world", &l.world}, {"ompi_mpi_float", &l.types[dist.F32]}, {"ompi_mpi_double", &l.types[dist.F64]}, {"ompi_mpi_int64_t", &l.types[dist.I64]},
			{"ompi_mpi_byte", &l.bytes}, {"ompi_mpi_op_sum", &l.sum}, {"ompi_mpi_errors_return", &l.errorsReturn},
		} {
			if *s.into, err = purego.Dlsym(handle, s.name); err != nil {
				return err
			}
		}
		return nil
	}
	if strings.Contains(l.file, "_abi") {
		l.abi = standardABI
	} else if _, err := purego.Dlsym(handle, "MPI_Abi_get_version"); err == nil && !strings.Contains(l.version, "MPICH") && !strings.Contains(l.version, "Intel") {
		l.abi = standardABI
	} else if strings.Contains(l.version, "MPICH") || strings.Contains(l.version, "Intel") || strings.Contains(l.version, "MVAPICH") || strings.Contains(l.version, "CRAY") {
		l.abi = mpichABI
	} else {
		return fmt.Errorf("the library %q has an unknown binary interface", l.version)
	}
	return nil
}

// failure makes a Go error of a result.
func (l *library) failure(call string, code int32) error {
	if code == 0 {
		return nil
	}
	text, n := make([]byte, 1<<12), int32(0)
	if l.errorString(code, &text[0], &n) != 0 {
		n = 0
	}
	return fmt.Errorf("mpi: %s: error %d: %s", call, code, strings.TrimRight(string(text[:min(max(0, int(n)), len(text))]), "\x00"))
}
