package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// closeExportCmd writes a closing's document.
type closeExportCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	ID        string `arg:"" help:"Id of the closing."`
	Format    string `help:"How: ${enum}; ${default} when not given." enum:"json,csv" default:"json"`
	Out       string `short:"o" help:"File to write; standard output when not given." placeholder:"FILE"`
	Force     bool   `help:"Write over the file when there is one."`
}

// Help shows how the command is used.
func (*closeExportCmd) Help() string {
	return `The JSON is the document itself, byte for byte as it was frozen, and its SHA-256 is
checked against that of the closing; a file is not written unless they are equal. The
CSV is a table made from the document, with no hash of its own.

Examples:
  cotmoc close export de-an-06 so-ket-2022 --out so-ket-2022.json
  cotmoc close export de-an-06 so-ket-2022 --format csv > so-ket-2022.csv`
}

// Run writes the document, and then says what is known of it.
func (e *closeExportCmd) Run(ctx context.Context, c *console) error {
	if err := e.free(); err != nil {
		return err
	}
	s, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	found, err := s.monitoring().GetClosing(ctx, &reportingv1.GetClosingRequest{Programme: e.Programme, Closing: e.ID})
	if err != nil {
		return show.Refusal(err)
	}
	req := &reportingv1.ExportClosingRequest{Programme: e.Programme, Closing: e.ID, Format: reportingv1.ClosingFormat_CLOSING_FORMAT_JSON}
	if e.Format == "csv" {
		req.Format = reportingv1.ClosingFormat_CLOSING_FORMAT_CSV
	}
	stream, err := s.monitoring().ExportClosing(ctx, req)
	if err != nil {
		return show.Refusal(err)
	}
	about := c.Err // beside the document
	if e.Out != "" {
		about = c.Out
	}
	said, err := e.write(c, stream, found.GetClosing().GetSha256())
	if err != nil {
		return err
	}
	fmt.Fprintln(about, said)
	return nil
}

// free refuses a file that is there already, and a folder that is not.
func (e *closeExportCmd) free() error {
	if e.Out == "" {
		return nil
	}
	folder := filepath.Dir(e.Out)
	if info, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("--out: there is no folder %s", folder)
	}
	info, err := os.Stat(e.Out)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("--out: %s is a folder", e.Out)
	case err == nil && !e.Force:
		return fmt.Errorf("--out: %s is there already; --force writes over it", e.Out)
	}
	return nil
}

// write copies the document to where it shall be and returns what is known of it.
func (e *closeExportCmd) write(c *console, stream grpc.ServerStreamingClient[reportingv1.ExportClosingResponse], want []byte) (said string, err error) {
	if e.Out == "" {
		return e.copy(c.Out, stream, want)
	}
	f, err := os.CreateTemp(filepath.Dir(e.Out), ".closing-*")
	if err != nil {
		return "", fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	said, err = e.copy(f, stream, want)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(f.Name(), e.Out); err != nil {
		return "", fmt.Errorf("--out: %w", err)
	}
	return e.Out + ": " + said, nil
}

// errHash says that a document is not the one that was published.
var errHash = errors.New("the document is not the one that was published")

// copy copies the document and, when it is the JSON, checks its hash.
func (e *closeExportCmd) copy(w io.Writer, stream grpc.ServerStreamingClient[reportingv1.ExportClosingResponse], want []byte) (said string, err error) {
	hash, size := sha256.New(), int64(0)
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", show.Refusal(err)
		}
		n, err := io.MultiWriter(w, hash).Write(piece.GetData())
		if size += int64(n); err != nil {
			return "", fmt.Errorf("write the document: %w", err)
		}
	}
	if e.Format == "csv" {
		return fmt.Sprintf("%s bytes, a table made from the document with SHA-256 %s", show.Amount(size, 0), hex.EncodeToString(want)), nil
	}
	if got := hash.Sum(nil); !bytes.Equal(got, want) {
		return "", fmt.Errorf("%w: its SHA-256 is %x, that of closing %s is %x", errHash, got, e.ID, want)
	}
	return fmt.Sprintf("%s bytes, SHA-256 %s as published", show.Amount(size, 0), hex.EncodeToString(want)), nil
}
