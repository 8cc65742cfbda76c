// Command autoencoder compresses images of digits to 32 numbers and draws their reconstruction.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log"
	"os"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

const (
	side  = 28 // pixels of an image's edge
	shown = 16 // images in the picture
)

// Autoencoder is an encoder to 32 numbers and a decoder back to pixels.
type Autoencoder struct{ Encoder, Decoder *nn.Sequential }

// NewAutoencoder returns the two networks.
func NewAutoencoder() *Autoencoder {
	return &Autoencoder{
		Encoder: nn.NewSequential(nn.NewLinear(side*side, 256), nn.GELU{}, nn.NewLinear(256, 32)),
		Decoder: nn.NewSequential(nn.NewLinear(32, 256), nn.GELU{}, nn.NewLinear(256, side*side)),
	}
}

// Build describes the model on n images: the reconstructed pixels, and how far they are from the image's.
func (m *Autoencoder) Build(g *tarn.Graph, n int) tarn.Outputs {
	x := g.Input("image", tarn.F32, n, side*side)
	logits := m.Decoder.Forward(m.Encoder.Forward(x))
	return tarn.Outputs{"prediction": logits.Sigmoid(), "loss": nn.BCEWithLogits(logits, x)}
}

// run trains, writes a picture of test images above their reconstructions, and returns the loss on the test images.
func run(ctx context.Context, w io.Writer, set, test *data.Set, epochs int, picture string) (float64, error) {
	m := NewAutoencoder()
	if err := tarn.Init(m, 1); err != nil {
		return 0, err
	}
	step, err := train.NewStepOf(m.Build, m, optim.NewAdam(2e-3))
	if err != nil {
		return 0, err
	}
	for r, err := range step.Over(ctx, set.Batches(128, data.Options{Shuffle: true, Seed: 7, Epochs: epochs})) {
		if err != nil {
			return 0, err
		}
		if r.Batch.EndsEpoch() {
			fmt.Fprintf(w, "epoch %d  loss of the last batch %.4f\n", r.Batch.Position.Epoch+1, r.Loss)
		}
	}
	g := tarn.NewGraph()
	g.Eval()
	program, err := tarn.Compile(g, m.Build(g, test.Len()))
	if err != nil {
		return 0, err
	}
	images, err := test.Tensor("image")
	if err != nil {
		return 0, err
	}
	out, err := program.Run(images)
	if err != nil {
		return 0, err
	}
	if err := draw(picture, images, out["prediction"]); err != nil {
		return 0, err
	}
	loss := out["loss"].Item()
	fmt.Fprintf(w, "test loss %.4f; the picture is %s\n", loss, picture)
	return loss, nil
}

// draw writes a picture with the first images in one row, and their reconstructions in another below it.
func draw(name string, rows ...*tarn.Tensor) error {
	picture := image.NewGray(image.Rect(0, 0, shown*side, len(rows)*side))
	for r, images := range rows {
		for i := range shown * side * side {
			digit, y, x := i/(side*side), i/side%side, i%side
			picture.SetGray(digit*side+x, r*side+y, color.Gray{Y: uint8(255 * images.F32()[i])})
		}
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := png.Encode(file, picture); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func main() {
	picture := flag.String("picture", "autoencoder.png", "file of the picture")
	epochs := flag.Int("epochs", 10, "times that each of the 60000 images is seen")
	flag.Parse()
	set, test, err := mnist.Load()
	if err == nil {
		_, err = run(context.Background(), os.Stdout, set, test, *epochs, *picture)
	}
	if err != nil {
		log.Fatal(err)
	}
}
