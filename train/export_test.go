package train

// OnComplete lets f be called with the name of each output that the program of a shard completes. The step is prepared.
func (s *Step) OnComplete(f func(name string)) {
	done := s.sharded.term.done
	s.sharded.term.done = func(name string) {
		f(name)
		done(name)
	}
}
