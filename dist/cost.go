package dist

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// This file holds what collectives cost: a network is a latency and a bandwidth, which a few messages between two ranks tell.

// Network is what a network does between any two ranks: the model of latency and bandwidth, in which a message of n bytes takes Latency + n/Bandwidth, a rank sends and receives one
// message at a time, and different ranks do not disturb each other. (Hockney 1994, The communication challenge for MPP.)
type Network struct {
	Latency   float64 // seconds
	Bandwidth float64 // bytes a second
}

// message is the time of a message.
func (n Network) message(bytes int) float64 { return n.Latency + float64(bytes)/n.Bandwidth }

// AllToAll returns the seconds of an AllToAll with blocks of a number of bytes: a message to each other rank.
func (n Network) AllToAll(ranks, block int) float64 { return float64(ranks-1) * n.message(block) }

// AllGather returns the seconds of an AllGather of parts of a number of bytes, by doubling: as many steps as ranks have bits, and each part received once. (Thakur, Rabenseifner and Gropp 2005,
// Optimization of collective communication operations in MPICH.)
func (n Network) AllGather(ranks, part int) float64 {
	return float64(bits.Len(uint(ranks-1)))*n.Latency + float64(ranks-1)*float64(part)/n.Bandwidth
}

// costBucket is the number of bytes of which a Sum sends the parts at once.
const costBucket = 25 << 20

// Sum returns the seconds of a Sum of arrays of a number of bytes, which a number of ranks have the terms of, without the additions.
func (n Network) Sum(terms, ranks, bytes int) float64 {
	if ranks == 1 {
		return 0
	}
	most := 1 // arrays that a rank sends
	for r := range ranks {
		lo, hi := Shard(terms, ranks, r)
		most = max(most, len(node{0, terms}.cover(node{lo, hi})))
	}
	total := 0.0
	for left := bytes; left > 0; left -= costBucket {
		share := (min(left, costBucket) + ranks - 1) / ranks
		total += n.AllToAll(ranks, most*share) + n.AllGather(ranks, share)
	}
	return total
}

// The sizes of the messages that measure a network, and how often they go to and fro.
const (
	smallMessage, smallTrips = 8, 200
	largeMessage, largeTrips = 4 << 20, 10
)

// Measure measures the network between rank 0 and the last rank by messages that go to and fro, while the other ranks wait. All ranks call it and get the same. It takes the
// fastest of the trips, so others who use the network matter little.
func Measure(c Comm) (n Network, err error) {
	if c.Size() < 2 {
		return n, fmt.Errorf("dist: Measure: there is one rank, and a network has two at least")
	}
	last := c.Size() - 1
	color := 1
	if c.Rank() == 0 || c.Rank() == last {
		color = 0
	}
	pair, err := c.Split(color, c.Rank())
	if err != nil {
		return n, err
	}
	seconds := []float64{0, 0}
	if color == 0 {
		for i, m := range []struct{ bytes, trips int }{{smallMessage, smallTrips}, {largeMessage, largeTrips}} {
			x, best := Alloc(pair, m.bytes), math.Inf(1)
			for range m.trips {
				begun := time.Now()
				for root := range 2 { // to and fro
					if err := pair.Broadcast(x, root); err != nil {
						return n, err
					}
				}
				best = min(best, time.Since(begun).Seconds()/2)
			}
			seconds[i] = best
		}
	}
	if err := c.Broadcast(Bytes(seconds), 0); err != nil {
		return n, err
	}
	n.Latency = seconds[0]
	n.Bandwidth = largeMessage / max(seconds[1]-seconds[0], 1e-9)
	return n, nil
}
