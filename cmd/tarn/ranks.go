package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds what is special about a command that several processes run: rank 0 alone has the folder of the run, writes and prints.

// rankFlags are the flags of trainings that may have ranks.
type rankFlags struct {
	Shards int  `placeholder:"N" help:"Cut each batch into this many parts, which the ranks that mpirun or srun has started share; the result does not depend on the number of ranks. By default 8 if there are ranks, or as many as ranks if these are more, and none if there are not."`
	ZeRO   bool `name:"zero" help:"Let each rank update a part of the weights, and keep the optimizer's states for that part alone; the result is the same."`
}

// check checks the flags.
func (f *rankFlags) check() error {
	if f.Shards < 0 || f.Shards > 1<<16 {
		return fmt.Errorf("--shards is %d and should be from 1 to %d", f.Shards, 1<<16)
	}
	return nil
}

// mainRanks runs the command on all ranks and returns the exit code of this one.
func mainRanks(do func(c dist.Comm, stdout, stderr io.Writer) (code int, agreed bool)) (code int) {
	begun := false
	err := connect(func(c dist.Comm) error {
		begun = true
		if c.Rank() == 0 {
			var agreed bool
			if code, agreed = do(c, os.Stdout, os.Stderr); code != 0 && !agreed && c.Size() > 1 {
				c.Abort(code, "has failed, as it says above")
			}
		} else {
			var said bytes.Buffer
			var agreed bool
			if code, agreed = do(c, io.Discard, &said); code != 0 && !agreed {
				c.Abort(code, strings.TrimSpace(said.String()))
			}
		}
		if code != 0 {
			return errAgreed
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAgreed) {
		fmt.Fprintf(os.Stderr, "tarn: %v\n", err)
		if !begun || code == 0 {
			return exitFailure
		}
	}
	return code
}

// sameCommand returns an error on all ranks if one of them is to run another command than rank 0, or has an error.
func sameCommand(c dist.Comm, name string, mine error) error {
	if c == nil || c.Size() == 1 {
		return mine
	}
	if err := dist.Agree(c, mine); err != nil {
		return err
	}
	all, err := dist.Gather(c, []byte(name))
	if err != nil {
		return err
	}
	for r, theirs := range all {
		if !bytes.Equal(theirs, all[0]) {
			return fmt.Errorf("rank %d is to run %q and rank 0 %q: start all ranks with the same command", r, theirs, all[0])
		}
	}
	return nil
}

// rank returns the rank of this process, and ranks their number.
func (env *environment) rank() int {
	if env.comm == nil {
		return 0
	}
	return env.comm.Rank()
}

func (env *environment) ranks() int {
	if env.comm == nil {
		return 1
	}
	return env.comm.Size()
}

// agreedError is an error that all ranks have.
type agreedError struct{ error }

func (e agreedError) Unwrap() error { return e.error }

// share gives the settings of rank 0, or its error, to the others.
func (env *environment) share(settings any, mine error) error {
	if env.ranks() == 1 {
		return mine
	}
	var message struct {
		Error    string
		Usage    bool
		Settings json.RawMessage
	}
	var text []byte
	var err error
	if env.rank() == 0 {
		if mine != nil {
			var usage usageError
			message.Error, message.Usage = mine.Error(), errors.As(mine, &usage)
		} else if message.Settings, err = json.Marshal(settings); err != nil {
			return err
		}
		if text, err = json.Marshal(message); err != nil {
			return err
		}
	}
	all, err := dist.Gather(env.comm, text)
	if err != nil {
		return err
	}
	switch err := json.Unmarshal(all[0], &message); {
	case err != nil:
		return err
	case mine != nil:
		return agreedError{mine}
	case message.Usage:
		return agreedError{usageError{errors.New(message.Error)}}
	case message.Error != "":
		return agreedError{errors.New(message.Error)}
	case env.rank() > 0:
		return json.Unmarshal(message.Settings, settings)
	}
	return nil
}

// agree returns an error on all ranks if one of them has one.
func (env *environment) agree(mine error) error {
	if env.ranks() == 1 {
		return mine
	}
	if err := dist.Agree(env.comm, mine); err != nil {
		return agreedError{err}
	}
	return nil
}

// sameFile refuses a file that is not the same on all ranks.
func (env *environment) sameFile(what, path string) error {
	if env.ranks() == 1 {
		return nil
	}
	text, err := os.ReadFile(path)
	if err := env.agree(err); err != nil {
		return err
	}
	return env.same(what+" "+file.Name(path), crc32.ChecksumIEEE(text))
}

// same refuses what has another checksum on a rank than on rank 0.
func (env *environment) same(what string, sum uint32) error {
	if env.ranks() == 1 {
		return nil
	}
	all, err := dist.Gather(env.comm, binary.LittleEndian.AppendUint32(nil, sum))
	if err != nil {
		return err
	}
	for r, theirs := range all {
		if !bytes.Equal(theirs, all[0]) {
			return agreedError{fmt.Errorf("%s on rank %d differs from that on rank 0: give all ranks the same files", what, r)}
		}
	}
	return nil
}

// ranksOf returns the ranks that share the work, or this process alone.
func (env *environment) ranksOf() dist.Comm {
	if env.comm == nil {
		return dist.Single()
	}
	return env.comm
}

// shards is the number of shards of a new run.
func (env *environment) shards(asked int) int {
	if asked == 0 && env.ranks() > 1 {
		return max(8, env.ranks())
	}
	return asked
}

// spread returns how a training is spread over the ranks, nil if it is not. The number of shards is that of the run's settings.
func (env *environment) spread(shards int, zero bool) (*train.Shards, error) {
	switch ranks := env.ranks(); {
	case shards >= ranks && shards > 0:
		return &train.Shards{Comm: env.comm, N: shards, ZeRO: zero}, nil
	case shards > 0:
		return nil, agreedError{fmt.Errorf("the batches of the run are cut into %d shards, and each of %d ranks needs one: start at most %[1]d ranks, or a new run with --shards %d", shards, ranks)}
	case zero:
		return nil, agreedError{errors.New("--zero splits updates among ranks, and there are none: start the command with mpirun, or leave it out")}
	case ranks > 1:
		return nil, agreedError{fmt.Errorf("the run was begun without --shards and cannot be resumed by %d ranks: resume it in one process", ranks)}
	}
	return nil, nil
}

// shareCores lets the ranks of a host share its processor cores, unless the launcher has bound each to some.
func (env *environment) shareCores() {
	local := dist.Launched(os.Getenv).Local
	if env.ranks() == 1 || local < 2 {
		return
	}
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil || runtime.NumCPU() < countCores(string(online)) {
		return
	}
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/local))
}

// countCores counts the cores of a list such as "0-3,8".
func countCores(list string) (n int) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, ranged := strings.Cut(part, "-")
		lo, err := strconv.Atoi(from)
		hi := lo
		if ranged && err == nil {
			hi, err = strconv.Atoi(to)
		}
		if err == nil {
			n += hi - lo + 1
		}
	}
	return n
}
