package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strings"

	"github.com/seed-49005b45/tarn/dist"
)

// This file holds how the ranks of a training stay in step. Before anything that all do together they tell each other that they are there. A rank
// that has failed, or was interrupted, says so at the next such meeting, wherever the others are, and all end there.

// team is the ranks of a training.
type team struct {
	comm  dist.Comm
	hosts []string
}

// newTeam meets the others for the first time.
func newTeam(c dist.Comm) (*team, error) {
	t := &team{comm: c}
	host, _ := os.Hostname()
	hosts, err := t.gather([]byte(host))
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		t.hosts = append(t.hosts, string(h))
	}
	return t, nil
}

// interruptedError is the error of ranks that end because another was interrupted.
type interruptedError struct{ rank int }

func (e interruptedError) Error() string {
	return fmt.Sprintf("rank %d was interrupted", e.rank)
}

// Is makes it a canceled context.
func (e interruptedError) Is(target error) bool { return target == context.Canceled }

// The flags of a meeting.
const (
	flagStop = 1 << iota
	flagFailed
	flagEnd // the rank is at the end of the training
)

// endMeeting is the name of the last meeting.
const endMeeting = "the end"

// meet tells the others that this rank has come to a place of the training, whether it was interrupted, and what has failed. It returns mine if
// that is not nil, the error of another rank, an interruptedError, or that the ranks are at different places.
func (t *team) meet(place string, number int64, stop bool, mine error) error {
	h := fnv.New64a()
	fmt.Fprint(h, place, " ", number)
	var status [16]byte
	binary.LittleEndian.PutUint64(status[:], h.Sum64())
	if stop {
		status[8] |= flagStop
	}
	if mine != nil {
		status[8] |= flagFailed
	}
	if place == endMeeting {
		status[8] |= flagEnd
	}
	all := make([]byte, len(status)*t.comm.Size())
	if err := t.comm.AllGather(all, status[:]); err != nil {
		return errors.Join(mine, err)
	}
	failed, stopped, apart := -1, -1, -1
	for r := range t.comm.Size() {
		s := all[r*len(status):][:len(status)]
		switch {
		case s[8]&flagFailed != 0 && failed < 0:
			failed = r
		case s[8]&flagStop != 0 && stopped < 0:
			stopped = r
		case apart < 0 && !bytes.Equal(s[:8], all[:8]):
			apart = r
		}
	}
	if failed >= 0 {
		text := ""
		if mine != nil {
			text = mine.Error()
		}
		texts, err := t.gather([]byte(text))
		if err != nil || mine != nil {
			return errors.Join(mine, err)
		}
		return &dist.RankError{Rank: failed, Host: t.hosts[failed], Err: errors.New(string(texts[failed]))}
	}
	if stopped >= 0 {
		return interruptedError{stopped}
	}
	if apart >= 0 {
		return fmt.Errorf("train: the ranks are out of step: rank 0 and rank %d are at different places of the training, this rank, %d, at %s %d: do all run the same program with the same settings?", apart, t.comm.Rank(), place, number)
	}
	return nil
}

// gather returns what each rank gives, of any length.
func (t *team) gather(mine []byte) ([][]byte, error) { return dist.Gather(t.comm, mine) }

// broadcast returns what rank root gives, of any length.
func (t *team) broadcast(mine []byte, root int) ([]byte, error) {
	length := []int64{int64(len(mine))}
	if err := t.comm.Broadcast(dist.Bytes(length), root); err != nil {
		return nil, err
	}
	if t.comm.Rank() != root {
		mine = make([]byte, length[0])
	}
	if len(mine) == 0 {
		return mine, nil
	}
	return mine, t.comm.Broadcast(mine, root)
}

// fact is something that must be the same on all ranks.
type fact struct{ name, value, cure string }

// compare returns the same error on all ranks if a fact differs from that of rank 0.
func (t *team) compare(facts []fact) error {
	var mine []string
	for _, f := range facts {
		mine = append(mine, f.value)
	}
	all, err := t.gather([]byte(strings.Join(mine, "\x00")))
	if err != nil {
		return err
	}
	first := strings.Split(string(all[0]), "\x00")
	for i, f := range facts {
		for r, text := range all {
			theirs := strings.Split(string(text), "\x00")
			if i >= len(theirs) || i >= len(first) || theirs[i] != first[i] {
				value, want := "", ""
				if i < len(theirs) && i < len(first) {
					value, want = theirs[i], first[i]
				}
				return fmt.Errorf("train: rank %d on host %s differs from rank 0 on host %s: %s is %s there and %s here; %s", r, t.hosts[r], t.hosts[0], f.name, value, want, f.cure)
			}
		}
	}
	return nil
}
