// Package safetensors reads and writes files of named tensors in the safetensors format, the one in which PyTorch, JAX
// and the model hubs exchange weights.
//
// A file is an 8-byte little-endian length, a JSON header of that length, then the elements of all tensors without gaps.
// The header gives each tensor's dtype, shape and place, and may hold strings under "__metadata__". Files may be
// malicious: reading checks everything that the header claims against the bytes that are there, before it allocates
// memory. The same contents are written as the same bytes, and a file is replaced atomically: a crash leaves the
// old file or the new one. Files written by this package have checksums, and damage to such a file is an error.
// Large models are sets of such files with an index, see Open.
//
// Files of torch.save (.pt, .pth, .bin) are zips of pickles, which are programs, and are not read. These lines of Python convert one:
//
//	import torch, safetensors.torch as st
//	st.save_file({k: v.clone().contiguous() for k, v in torch.load("x.pt", map_location="cpu", weights_only=True).items()}, "x.safetensors")
//
// The format: https://github.com/huggingface/safetensors#format.
package safetensors

import (
	"github.com/seed-49005b45/tarn"
)

// File is the contents of a file.
type File struct {
	Tensors  map[string]*tarn.Tensor
	Metadata map[string]string // free text, nil if the file has none
	Verified bool              // whether the file had checksums, as those that this package writes; they were right
}
