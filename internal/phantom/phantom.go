// Package phantom draws the 3-D Shepp–Logan head phantom and writes it as a CT study in one DICOM Part 10 file: test data that
// looks like a scan and is about nobody.
//
// Ellipsoids and densities are those of Shepp and Logan, "The Fourier Reconstruction of a Head Section" (IEEE Transactions on
// Nuclear Science 21, 1974), in the three-dimensional form of Kak and Slaney, "Principles of Computerized Tomographic Imaging"
// (1988). Densities are relative to water, so that 1000·(density − 1) is the CT number in Hounsfield units.
package phantom

import "math"

// Size of the study: columns and rows in pixels, and frames.
const (
	Columns = 512
	Rows    = 512
	Frames  = 128
)

// Geometry in millimetres.
const (
	pixelSpacing = 0.5
	frameSpacing = 1.5
)

// ellipsoid adds density within ((x−x0)/a)² + ((y−y0)/b)² + ((z−z0)/c)² ≤ 1 after a turn by phi degrees about the z axis. The
// head fills the cube of −1 to 1.
type ellipsoid struct{ density, a, b, c, x0, y0, z0, phi float64 }

var ellipsoids = []ellipsoid{
	{density: 2, a: .69, b: .92, c: .81},
	{density: -.98, a: .6624, b: .874, c: .78, y0: -.0184},
	{density: -.02, a: .11, b: .31, c: .22, x0: .22, phi: -18},
	{density: -.02, a: .16, b: .41, c: .28, x0: -.22, phi: 18},
	{density: .01, a: .21, b: .25, c: .41, y0: .35, z0: -.15},
	{density: .01, a: .046, b: .046, c: .05, y0: .1, z0: .25},
	{density: .01, a: .046, b: .046, c: .05, y0: -.1, z0: .25},
	{density: .01, a: .046, b: .023, c: .05, x0: -.08, y0: -.605},
	{density: .01, a: .023, b: .023, c: .02, y0: -.606},
	{density: .01, a: .023, b: .046, c: .02, x0: .06, y0: -.605},
}

// frame returns the CT numbers of frame z, counted from 0, row by row from the front of the head.
func frame(z int) []int16 {
	density := make([]float64, Rows*Columns)
	height := centre(z, Frames)
	for _, e := range ellipsoids {
		sin, cos := math.Sincos(e.phi * math.Pi / 180)
		w := (height - e.z0) / e.c
		for row := range Rows {
			// The rows of an image run from the front to the back, the y axis of the phantom the other way. Along a row the
			// surface is a quadratic in x: the pixels between its roots are inside.
			y := -centre(row, Rows) - e.y0
			p := cos*cos/(e.a*e.a) + sin*sin/(e.b*e.b)
			q := y * sin * cos * (1/(e.a*e.a) - 1/(e.b*e.b))
			r := y*y*(sin*sin/(e.a*e.a)+cos*cos/(e.b*e.b)) + w*w - 1
			discriminant := q*q - p*r
			if discriminant < 0 {
				continue
			}
			root := math.Sqrt(discriminant)
			first, last := column(e.x0+(-q-root)/p), column(e.x0+(-q+root)/p)
			line := density[row*Columns : (row+1)*Columns]
			for x := max(int(math.Ceil(first)), 0); x <= min(int(math.Floor(last)), Columns-1); x++ {
				line[x] += e.density
			}
		}
	}
	numbers := make([]int16, len(density))
	for i, d := range density {
		numbers[i] = int16(math.Round(1000 * (d - 1)))
	}
	return numbers
}

// centre is the place of the middle of pixel i of n in the cube of −1 to 1.
func centre(i, n int) float64 { return (2*float64(i)+1)/float64(n) - 1 }

// column is the inverse of centre for columns.
func column(x float64) float64 { return ((x+1)*Columns - 1) / 2 }
