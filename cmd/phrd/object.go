package main

import (
	"bufio"
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

func objectCommand() *cobra.Command {
	return group("object", "ciphertext as files: take an object out of this hospital's store, or bring one in", objectExportCommand(), objectImportCommand())
}

// movedView is an object that was moved.
type movedView struct {
	Object string `json:"object"`
	Blocks int    `json:"blocks"`
	Bytes  uint64 `json:"bytes"`
	Path   string `json:"path"`
}

func (v movedView) print(o *output, verb string) error {
	if o.json {
		return o.value(v)
	}
	return o.line("object %s %s: %d blocks, %s, %s", v.Object, verb, v.Blocks, byteText(v.Bytes), v.Path)
}

func objectExportCommand() *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use: "export CID|RECORD[/VERSION]", Short: "write an object, with its envelope, as a CAR file",
		Long: "Write the ciphertext of a version, and its envelope, as a CAR (CARv1) that any IPFS tool reads: the object is the first\n" +
			"root, the envelope the second. It opens for nobody who could not open the version before. What this hospital does not\n" +
			"hold comes from others. The log shows it as a reading. Only this hospital's administrators may.\n\n" +
			"A file that travels on a disk saves the line: `phrd object import` at another hospital takes it.",
		Example: "  phrd object export 7ABC…/2 -o scan.car\n  phrd object export bafybei… -o scan.car",
		Args:    exactArgs("CID or RECORD[/VERSION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usage("which file? -o FILE.car")
			}
			if err := checkTarget(path, force); err != nil {
				return err
			}
			object, asCID := lock.ParseDagCID(args[0])
			var ref phr.Ref
			if asCID != nil {
				var err error
				if ref, err = parseRef(args[0]); err != nil {
					return usage("%q is neither a CID nor RECORD or RECORD/VERSION", args[0])
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if asCID != nil {
					v, err := u.client.Version(ctx, ref)
					if err != nil {
						return err
					}
					if object, err = lock.ParseDagCID(v.GetObject()); err != nil {
						return err
					}
				}
				return exportObject(ctx, u.client, o, object, path, force)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVarP(&path, "output", "o", "", "file to write")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file where there is one")
	return cmd
}

// exportObject writes an object to a file, which is there when all of it was checked and is on the disk.
func exportObject(ctx context.Context, c *phr.Client, o *output, object lock.CID, path string, force bool) error {
	var moved phr.MovedObject
	err := writeWhole(path, force, time.Time{}, func(w io.Writer) error {
		return writeStream(w, func(w io.Writer) (err error) {
			moved, err = c.ExportObject(ctx, object, w)
			return err
		})
	})
	if err != nil {
		return err
	}
	return movedView{moved.Object.String(), moved.Blocks, moved.Bytes, path}.print(o, "was written")
}

func objectImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE.car", Short: "bring an object from a CAR file into this hospital's store",
		Long: "Bring the object of a CAR file, such as `phrd object export` writes, into this hospital's store. The chain must know the\n" +
			"object, and every block is checked. What the chain wants this hospital to hold is then confirmed without the network;\n" +
			"anything else is removed after a while like any block that nobody names. Only this hospital's administrators may.",
		Example: "  phrd object import /media/courier/scan.car",
		Args:    exactArgs("FILE.car"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, size, err := openRegular(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				moved, err := u.client.ImportObject(ctx, int64(size), func() io.Reader {
					return bufio.NewReaderSize(io.NewSectionReader(f, 0, int64(size)), 1<<20)
				})
				if err != nil {
					return err
				}
				return movedView{moved.Object.String(), moved.Blocks, moved.Bytes, args[0]}.print(o, "is in the store")
			})
		},
	}
	userFlags(cmd)
	return cmd
}
