package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Measures of the picture, in pixels. It is narrow with large letters: most people see it on a phone.
const (
	width     = 900
	margin    = 24
	rowHeight = 64
	barHeight = 26
	textSize  = 22
)

// shades tell the series apart by brightness, and by a pattern for those who see no colours.
var shades = []struct {
	fill    color.RGBA
	pattern pattern
}{
	{color.RGBA{0x1d, 0x4e, 0x89, 0xff}, solid},
	{color.RGBA{0xf2, 0xb1, 0x34, 0xff}, rising},
	{color.RGBA{0xb0, 0x3a, 0x2e, 0xff}, dots},
	{color.RGBA{0x9f, 0xc5, 0xe8, 0xff}, falling},
	{color.RGBA{0x7f, 0x8c, 0x8d, 0xff}, upright},
	{color.RGBA{0xd7, 0xdb, 0xdd, 0xff}, level},
}

// pattern says whether a pixel of a bar is left white.
type pattern func(x, y int) bool

func solid(int, int) bool   { return false }
func rising(x, y int) bool  { return (x+y)%8 < 2 }
func falling(x, y int) bool { return (x-y+8000)%8 < 2 }
func dots(x, y int) bool    { return x%6 < 2 && y%6 < 2 }
func upright(x, _ int) bool { return x%8 < 2 }
func level(_, y int) bool   { return y%6 < 2 }

var (
	ink   = color.RGBA{0x1d, 0x1c, 0x1d, 0xff}
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

type canvas struct {
	*image.RGBA
	text, bold font.Face
}

// PNG draws the chart: a bar for each category, its parts beside one another, their numbers in words above it.
func PNG(c Chart) ([]byte, error) {
	text, err := face(goregular.TTF)
	if err != nil {
		return nil, err
	}
	bold, err := face(gobold.TTF)
	if err != nil {
		return nil, err
	}
	head := margin + 2*textSize + len(c.Series)*(textSize+10) + margin
	p := canvas{image.NewRGBA(image.Rect(0, 0, width, head+len(c.Categories)*rowHeight+margin)), text, bold}
	draw.Draw(p, p.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	p.write(p.bold, margin, margin+textSize, c.Title)
	for i, s := range c.Series {
		y := margin + 2*textSize + i*(textSize+10)
		p.bar(image.Rect(margin, y, margin+44, y+textSize), i)
		p.write(p.text, margin+56, y+textSize-4, s.Name)
	}
	for i, name := range c.Categories {
		y := head + i*rowHeight
		p.write(p.bold, margin, y+textSize, name)
		p.write(p.text, margin+280, y+textSize, c.row(i))
		c.parts(i, func(series, from, to int) {
			p.bar(image.Rect(margin+from, y+textSize+8, margin+to, y+textSize+8+barHeight), series)
		})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		return nil, fmt.Errorf("encode the chart %q: %w", c.Title, err)
	}
	return out.Bytes(), nil
}

// parts gives the parts of a bar in pixels; the longest bar is as long as there is room. What is there is seen, if only as a line.
func (c Chart) parts(category int, f func(series, from, to int)) {
	most := 1
	for i := range c.Categories {
		sum := 0
		for _, s := range c.Series {
			sum += s.Values[i]
		}
		most = max(most, sum)
	}
	from, sum := 0, 0
	for i, s := range c.Series {
		v := s.Values[category]
		if v == 0 {
			continue
		}
		sum += v
		to := max(from+3, int(int64(sum)*(width-2*margin)/int64(most)))
		f(i, from, to)
		from = to
	}
}

func (p canvas) bar(r image.Rectangle, series int) {
	s := shades[series%len(shades)]
	r = r.Intersect(p.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			edge := x == r.Min.X || x == r.Max.X-1 || y == r.Min.Y || y == r.Max.Y-1
			switch {
			case edge:
				p.SetRGBA(x, y, ink)
			case !s.pattern(x, y):
				p.SetRGBA(x, y, s.fill)
			}
		}
	}
}

func (p canvas) write(f font.Face, x, y int, s string) {
	d := font.Drawer{Dst: p, Src: image.NewUniform(ink), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

func face(ttf []byte) (font.Face, error) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("parse the font: %w", err)
	}
	out, err := opentype.NewFace(f, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("size the font: %w", err)
	}
	return out, nil
}
