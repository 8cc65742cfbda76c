package main

// These tests run minimize, grad and fitcurve.

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestMinimize(t *testing.T) {
	const valley = "(1-x)^2 + 100*(y-x^2)^2"
	for _, method := range methodNames {
		args := []string{"minimize", valley, "--start", "x=-1.2,y=1", "--method", method}
		code := 0
		switch method {
		case "lbfgsb", "multistart", "basinhopping":
			args = append(args, "--bounds", "x=-2:2,y=-2:2")
		case "gd":
			args = append(args, "--iterations", "300") // it would take thousands
			code = 1
		case "adam":
			args = append(args, "--rate", "0.1", "--iterations", "3000")
		}
		out, stderr := command(t, code, args...)
		want := []string{"iteration", "        1  ", "minimum ", "at x = ", "the gradient is within the tolerance"}
		if method == "gd" {
			want = []string{"stopped at", "the limit of iterations is reached"}
			if !strings.Contains(stderr, "no minimum found: gd: the limit of iterations is reached") {
				t.Errorf("gd: %s", stderr)
			}
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%s", method, w, out)
			}
		}
		if m := regexp.MustCompile(`minimum (\S+) at x = (\S+), y = (\S+)\n`).FindStringSubmatch(out); m != nil {
			x, _ := strconv.ParseFloat(m[2], 64)
			if x < 0.999 || x > 1.001 {
				t.Errorf("%s: the minimum is at %s", method, m[0])
			}
		} else if method != "gd" {
			t.Errorf("%s: no minimum in\n%s", method, out)
		}
	}
	out, _ := command(t, 0, "minimize", "sum(100*(x[1:]-x[:-1]^2)^2 + (1-x[:-1])^2)", "--start", "x=[-1.2,1]", "--dim", "x=100", "--quiet")
	if !strings.HasPrefix(out, "minimum ") || !strings.Contains(out, "at x = [1 1 1 ... 1 1 1]") || strings.Count(out, "\n") != 2 {
		t.Errorf("in 100 dimensions:\n%s", out)
	}
	out, _ = command(t, 0, "minimize", valley, "--start", "x=-1,y=2", "--method", "lbfgsb", "--bounds", "x=:0.5", "--quiet")
	if !strings.Contains(out, "minimum 0.25 at x = 0.5, y = 0.25") {
		t.Errorf("with a bound:\n%s", out)
	}
	for _, f := range []string{"x^3", " -x", "-x", "-x^2 + x", "1e-9*x", "log(abs(x))"} {
		out, stderr := command(t, 1, "minimize", f, "--start", "x=-1")
		if !strings.Contains(stderr, "falls without bound") || strings.Contains(out, "minimum") {
			t.Errorf("%s, a function without a minimum: %s%s", f, out, stderr)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"minimum 1 at x = 2\n", []string{"(x-1)^2", "--start", "x=5", "--bounds", "x=2:3"}}, // a method that keeps them is chosen
		{"minimum 1 at x = 2\n", []string{"(x-1)^2", "--start", "x=5", "--bounds", "x=2:3", "--method", "multistart"}},
		{"minimum 1 at x = 2\n", []string{"(x-1)^2", "--start", "x=5", "--bounds", "x=2:3", "--method", "basinhopping"}},
		{"minimum 1 at x = 2\n", []string{"(x-1)^2", "--start", "x=5", "--bounds", "x=2:"}},
		{"minimum 2 at x = [2 2]\n", []string{"sum((x-1)^2)", "--start", "x=[5,6]", "--bounds", "x=2:3", "--method", "multistart,basinhopping"}},
		{"minimum -0.6931471806 at x = 0.5\n", []string{"log(x)", "--start", "x=5", "--bounds", "x=0.5:"}},
		{"minimum ", []string{"sqrt(x)", "--start", "x=5", "--bounds", "x=0:"}}, // whose gradient is infinite at the bound
		{"at x = 3\n", []string{"1e-9*(x-3)^2", "--start", "x=0"}},
		{"at x = 3\n", []string{"1e9*(x-3)^2", "--start", "x=0"}},
		{"minimum 0 at x = [0 0]\n", []string{"norm(x)", "--start", "x=[0,0]"}},
		{"minimum 0 at x = 0\n", []string{"sqrt(x^2)", "--start", "x=0"}},
		{"minimum 0 at x = 0\n", []string{"sqrt(x^2)", "--start", "x=1"}},
		{"minimum 0 at x = 0, y = 0\n", []string{"sqrt(x^2 + 2*y^2)", "--start", "x=0,y=0"}},
		{"minimum -3 at x = -1\n", []string{"-(x-1)^2+x^4", "--start", "x=1"}},
		{"minimum -3 at x = -1\n", []string{"--start", "x=1", "-(x-1)^2+x^4"}},
		{"minimum -3 at x = -1\n", []string{"--start", "x=1", "--", "-(x-1)^2+x^4"}},
		{"at h = 0.5\n", []string{"-h+h^2", "--start", "h=1"}},
		{"at x = [1 2]\n", []string{"norm(x)^2 - 2*x[0] - 4*x[1]", "--start", "x=[0,0]"}},
	} {
		out, _ := command(t, 0, append([]string{"minimize", "--quiet"}, c.args...)...)
		if !strings.Contains(out, c.want) {
			t.Errorf("%q: %s, want %q", c.args, out, c.want)
		}
	}
}

func TestMinimizePlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "path.png")
	out, _ := command(t, 0, "minimize", "x^2 + 3*y^2", "--start", "x=2,y=1", "--method", "gd,newton", "--plot", file)
	for _, want := range []string{"method gd\n", "method newton\n", "wrote " + file} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil || img.Bounds().Dx() != 2*img.Bounds().Dy() && img.Bounds().Dx() < img.Bounds().Dy()*19/10 {
		t.Errorf("the picture: %v", err)
	}
	if names, _ := filepath.Glob(file + "*"); len(names) != 1 {
		t.Errorf("files %v", names)
	}
	if out, err := command(t, 2, "minimize", "x^2 + 3*y^2", "--start", "x=2,y=1", "--plot", filepath.Join(file, "no.png")); out != "" || !strings.Contains(err, "path.png is a file") {
		t.Errorf("a file in place of a folder: %s%s", out, err)
	}
}

func TestGrad(t *testing.T) {
	out, _ := command(t, 0, "grad", "(1-x)^2 + 100*(y-x^2)^2", "--at", "x=1,y=2")
	if want := `f     = (1 - x)^2 + 100*(y - x^2)^2
      = 100
df/dx = 2*(x - 1) + 400*(x^2 - y)*x
      = -400
df/dy = 200*(y - x^2)
      = 200
`; out != want {
		t.Errorf("prints\n%swant\n%s", out, want)
	}
	out, _ = command(t, 0, "grad", "sum(x^3) * y", "--at", "x=[1,2],y=0.5", "--dim", "x=3")
	for _, want := range []string{"df/dx = 3*y*x^2\n      = [1.5 6 1.5]\n", "df/dy = sum(x^3)\n      = 10\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestGradUndefined takes derivatives where their formulas are no finite numbers.
func TestGradUndefined(t *testing.T) {
	const note = ", which is taken where the formula is not a finite number, as 0/0\n"
	for _, c := range []struct{ formula, at, want string }{
		{"norm(v)", "v=[0,0]", "df/dv = v/norm(v)\n      = [0 0]" + note},
		{"norm(v)", "v=[3,4]", "df/dv = v/norm(v)\n      = [0.6 0.8]\n"},
		{"x*norm(v)", "x=2,v=[0,0]", "df/dx = norm(v)\n      = 0\n"},
		{"sqrt(x^2)", "x=0", "df/dx = x/sqrt(x^2)\n      = 0" + note},
		{"prod(v)", "v=[0,2]", "      = [2 0]" + note},
		{"sqrt(x)", "x=0", "      = +Inf\n"}, // as the formula is
		{"-sqrt(x)", "x=4", "      = -0.25\n"},
	} {
		if out, _ := command(t, 0, "grad", c.formula, "--at", c.at); !strings.Contains(out, c.want) {
			t.Errorf("%s at %s prints\n%swant\n%s", c.formula, c.at, out, c.want)
		}
	}
}

// TestShieldFormula tells formulas that begin with a minus from flags.
func TestShieldFormula(t *testing.T) {
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"unknown flag -q", 2, []string{"minimize", "-q", "x^2", "--start", "x=1"}},
		{"unknown flag -q", 2, []string{"minimize", "x^2", "-q", "--start", "x=1"}},
		{"unknown flag -x", 2, []string{"runs", "-x"}},
		{"no such file", 1, []string{"fitcurve", "no.csv", "-a*x", "--start", "a=1"}},
		{"unknown flag -n", 2, []string{"fitcurve", "-n", "--start", "a=1"}},
		{"the formula has no variable x; it has the variables q", 2, []string{"minimize", "-q", "--start", "x=1"}},
		{"\n  -x**\n      ^", 2, []string{"minimize", "-x**", "--start", "x=1"}},
		{"tolerance", 2, []string{"minimize", "--start", "x=1", "--tolerance", "-1", "-x"}},
	} {
		if _, stderr := command(t, c.code, c.args...); !strings.Contains(stderr, c.want) {
			t.Errorf("%q: %s, want %q", c.args, stderr, c.want)
		}
	}
}

// misra is the set Misra1a of NIST's, whose certified values are b1 238.94212918, b2 5.5015643181e-4, with the standard deviations
// 2.7070075241 and 7.2668688436e-6.
const misra = "y, x\n10.07,77.6\n14.73,114.9\n17.94,141.1\n23.93,190.8\n29.61,239.9\n35.18,289\n40.02,332.8\n44.82,378.4\n50.76,434.8\n" +
	"55.05,477.3\n61.01,536.8\n66.4,593.1\n75.47,689.1\n81.78,760\n"

func TestFitcurve(t *testing.T) {
	file := filepath.Join(t.TempDir(), "misra.csv")
	os.WriteFile(file, []byte(misra), 0o600)
	out, _ := command(t, 0, "fitcurve", file, "b1*(1-exp(-b2*x))", "--start", "b1=500,b2=0.0001")
	for _, want := range []string{
		`b1 +238\.942129\d* +2\.70701\n`, `b2 +0\.0005501564\d* +7\.26687e-06\n`, `residual sum of squares 0\.12455138\d*,`,
		`residual standard deviation 0\.10187876,`, `12 degrees of freedom`, `the gradient is within the tolerance`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	out, _ = command(t, 0, "fitcurve", file, "a + b*x", "--start", "a=0,b=0", "--response", "log(y)")
	if !strings.Contains(out, "12 degrees of freedom") {
		t.Errorf("a line through logarithms:\n%s", out)
	}
	out, _ = command(t, 0, "fitcurve", file, "a + b + 0*x", "--start", "a=0,b=0")
	if !strings.Contains(out, "determine only 1 of the 2 values") || !strings.Contains(out, "+Inf") {
		t.Errorf("two values for one:\n%s", out)
	}
}

// TestFitcurvePlot looks for the data, the curve and the band in the picture, each by its color.
func TestFitcurvePlot(t *testing.T) {
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "misra.csv"), filepath.Join(dir, "fit.png")
	noisy := "x,y,z\n0,1.2,1\n1,1.6,1\n2,3.4,1\n3,3.9,1\n4,5.8,1\n"
	os.WriteFile(file, []byte(noisy), 0o600)
	for _, c := range []struct {
		formula, start, response string
		band                     bool
		says                     string
	}{
		{"a + b*x", "a=0,b=0", "y", true, "wrote " + picture + "\n"},
		{"a + b*x", "a=0,b=0", "log(y)", true, "wrote " + picture + "\n"},
		{"a + b*x + c*x^2 + d*x^3 + e0*x^4", "a=0,b=0,c=0,d=0,e0=0", "y", false, "without a band"},
		{"a + b + c*x", "a=0,b=0,c=0", "y", false, "without a band"},
	} {
		out, _ := command(t, 0, "fitcurve", file, c.formula, "--start", c.start, "--response", c.response, "--plot", picture)
		if !strings.HasSuffix(out, "\n") || !strings.Contains(out, c.says) {
			t.Errorf("%s: prints\n%s", c.formula, out)
		}
		f, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		var line, dots, band int
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				r, g, b, _ := img.At(x, y).RGBA()
				switch r, g, b = r>>8, g>>8, b>>8; {
				case r < 20 && g > 100 && g < 130 && b > 160:
					line++
				case r == 30 && g == 30 && b == 30:
					dots++
				case r > 180 && r < 210 && g > 210 && g < 230 && b > 230 && b < 250:
					band++
				}
			}
		}
		if line < 500 || dots < 50 || (band > 5000) != c.band {
			t.Errorf("%s: %d pixels of the curve, %d of the data, %d of the band", c.formula, line, dots, band)
		}
	}
	one := filepath.Join(dir, "one.csv")
	os.WriteFile(one, []byte("x,y\n2,1\n2,3\n2,4\n"), 0o600)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "the formula has none of x, y, z", []string{file, "a", "--start", "a=1"}},
		{2, "over one column, and the formula has x, z", []string{file, "a*x+z", "--start", "a=1"}},
		{2, "sums and the like of x mean nothing", []string{file, "a*x/sum(x)", "--start", "a=1"}},
		{1, "x is 2 in all lines", []string{one, "a*x", "--start", "a=1"}},
	} {
		other := filepath.Join(dir, "none.png")
		_, err := command(t, c.code, append([]string{"fitcurve", "--plot", other}, c.args...)...)
		if !strings.Contains(err, c.want) {
			t.Errorf("tarn fitcurve %q: prints %q, want %q", c.args, err, c.want)
		}
		if _, err := os.Stat(other); err == nil {
			t.Errorf("tarn fitcurve %q leaves a picture", c.args)
		}
	}
	if out, err := command(t, 2, "fitcurve", file, "a*x", "--start", "a=1", "--plot", filepath.Join(dir, "no", "fit.png")); out != "" || !strings.Contains(err, "does not exist") {
		t.Errorf("a folder that is not there: %s%s", out, err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 3 {
		t.Errorf("files %v", names)
	}
}

func TestFormulaMistakes(t *testing.T) {
	dir := t.TempDir()
	file, bad := filepath.Join(dir, "misra.csv"), filepath.Join(dir, "bad.csv")
	os.WriteFile(file, []byte(misra), 0o600)
	os.WriteFile(bad, []byte("y,x\n1,two\n"), 0o600)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "  x^2 + (y\n        ^", []string{"minimize", "x^2 + (y", "--start", "x=1"}},
		{2, "  2x\n   ^", []string{"minimize", "2x", "--start", "x=1"}},
		{2, "variable y has no value; add one, as in y=1", []string{"minimize", "x+y", "--start", "x=1"}},
		{2, "no variable z; it has the variables x", []string{"minimize", "x^2", "--start", "x=1,z=2"}},
		{2, "it has no variables", []string{"minimize", "3", "--start", "x=1"}},
		{2, "missing flags: --start", []string{"minimize", "x^2"}},
		{2, "should be a name, = and a number", []string{"minimize", "x^2", "--start", "x"}},
		{2, `"one", the value of x`, []string{"minimize", "x^2", "--start", "x=one"}},
		{2, `"nan", the value of x`, []string{"minimize", "x^2", "--start", "x=nan"}},
		{2, "x is given twice", []string{"minimize", "x^2", "--start", "x=1,x=2"}},
		{2, "not closed", []string{"minimize", "sum(x^2)", "--start", "x=[1,2"}},
		{2, "a comma after the vector", []string{"minimize", "sum(x^2)", "--start", "x=[1,2]y=1"}},
		{2, "vector of 2 elements; take its sum", []string{"minimize", "x^2", "--start", "x=[1,2]"}},
		{2, "a number has no parts", []string{"minimize", "x[1]", "--start", "x=1"}},
		{2, "y has no value", []string{"minimize", "x^2", "--start", "x=1", "--dim", "y=3"}},
		{2, "whole number from 1", []string{"minimize", "sum(x^2)", "--start", "x=1", "--dim", "x=0"}},
		{2, "whole number from 1", []string{"minimize", "sum(x^2)", "--start", "x=1", "--dim", "x=1e300"}},
		{2, "there are: gd, cg", []string{"minimize", "x^2", "--start", "x=1", "--method", "foo"}},
		{2, "--tolerance is 0", []string{"minimize", "x^2", "--start", "x=1", "--tolerance", "0"}},
		{2, "--iterations is 0", []string{"minimize", "x^2", "--start", "x=1", "--iterations", "0"}},
		{2, "--rate is NaN", []string{"minimize", "x^2", "--start", "x=1", "--rate", "nan"}},
		{2, "the name of a PNG file", []string{"minimize", "x^2+y^2", "--start", "x=1,y=1", "--plot", "a.pdf"}},
		{2, "functions of two numbers", []string{"minimize", "x^2", "--start", "x=1", "--plot", "a.png"}},
		{2, "needs --bounds", []string{"minimize", "x^2", "--start", "x=1", "--method", "multistart"}},
		{2, "with its bounds, as in x=0:1", []string{"minimize", "x^2", "--start", "x=1", "--bounds", "y=0:1"}},
		{2, "with its bounds, as in x=0:1", []string{"minimize", "x^2", "--start", "x=1", "--bounds", "x=1"}},
		{2, `"a" is not a number`, []string{"minimize", "x^2", "--start", "x=1", "--bounds", "x=a:1"}},
		{2, "no number is between", []string{"minimize", "x^2", "--start", "x=1", "--method", "lbfgsb", "--bounds", "x=2:1"}},
		{2, "x is given twice", []string{"minimize", "x^2", "--start", "x=1", "--bounds", "x=0:1,x=2:3"}},
		{2, "the method newton does not keep bounds; these do: lbfgsb", []string{"minimize", "x^2", "--start", "x=1", "--method", "lbfgsb,newton", "--bounds", "x=2:3"}},
		{2, "the method lbfgs does not keep bounds", []string{"minimize", "x^2", "--start", "x=1", "--method", "lbfgs", "--bounds", "x=2:3"}},
		{1, "not finite", []string{"minimize", "log(x)", "--start", "x=-1"}},
		{2, "missing flags: --at", []string{"grad", "x^2"}},
		{2, "  sin(x\n     ^", []string{"grad", "sin(x", "--at", "x=1"}},
		{2, "no variable z", []string{"grad", "x^2", "--at", "x=1,z=1"}},
		{1, "no.csv", []string{"fitcurve", filepath.Join(dir, "no.csv"), "a*x", "--start", "a=1"}},
		{1, "bad.csv", []string{"fitcurve", bad, "a*x", "--start", "a=1"}},
		{2, "q is neither a column", []string{"fitcurve", file, "a*q", "--start", "a=1"}},
		{2, "b is not in the formula", []string{"fitcurve", file, "a*x", "--start", "a=1,b=2"}},
		{2, "x is a column", []string{"fitcurve", file, "a*x", "--start", "a=1,x=2"}},
		{2, "a is a vector", []string{"fitcurve", file, "a*x", "--start", "a=[1]"}},
		{2, "--response", []string{"fitcurve", file, "a*x", "--start", "a=1", "--response", "z"}},
		{2, "one number for each of the 14 lines", []string{"fitcurve", file, "a*x", "--start", "a=1", "--response", "sum(y)"}},
		{2, "the name of a PNG file", []string{"fitcurve", file, "a*x", "--start", "a=1", "--plot", "a.pdf"}},
		{2, "14 and 13 elements", []string{"fitcurve", file, "a*x + x[1:]", "--start", "a=1"}},
		{1, "not finite at the start", []string{"fitcurve", file, "log(a*x)", "--start", "a=-1"}},
	} {
		out, err := command(t, c.code, c.args...)
		if !strings.HasPrefix(err, "tarn: ") || !strings.Contains(err, c.want) {
			t.Errorf("tarn %q: prints %q, want %q", c.args, err, c.want)
		}
		if c.code == 2 && out != "" {
			t.Errorf("tarn %q: prints %q on the standard output", c.args, out)
		}
	}
}
