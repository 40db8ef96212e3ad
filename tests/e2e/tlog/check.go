// Checks a published log with code that is not ours: Go's sumdb/note and sumdb/tlog.
//
// Usage: check DIR VKEY OLD_SIZE. It trusts no tile: every hash is made anew from the entries, and tiles are compared with that.
// (tlog.TileHashReader before x/mod 0.40.0 does not prove all tiles that it returns hashes from: CVE-2026-56865.)
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height, width = 8, 256

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

// path names the file of a tile: as in tlog, without the height.
func path(directory, kind string, number int64, w int) string {
	name := fmt.Sprintf("%03d", number%1000)
	for number >= 1000 {
		number /= 1000
		name = fmt.Sprintf("x%03d/%s", number%1000, name)
	}
	if w < width {
		name += fmt.Sprintf(".p/%d", w)
	}
	return filepath.Join(directory, "tile", kind, name)
}

// entries reads a bundle: each entry after its length in two bytes.
func entries(bundle []byte) [][]byte {
	var found [][]byte
	for len(bundle) > 0 {
		expect(len(bundle) >= 2, "a bundle ends within a length")
		size := int(binary.BigEndian.Uint16(bundle))
		expect(len(bundle) >= 2+size, "a bundle ends within an entry")
		found = append(found, bundle[2:2+size])
		bundle = bundle[2+size:]
	}
	return found
}

func main() {
	directory, vkey := os.Args[1], os.Args[2]
	old, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err, "the old size")
	verifier, err := note.NewVerifier(vkey)
	check(err, "the key")
	raw, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	check(err, "the checkpoint")
	signed, err := note.Open(raw, note.VerifierList(verifier))
	check(err, "the checkpoint's signature")
	lines := strings.Split(signed.Text, "\n")
	expect(len(lines) == 4 && lines[0] == verifier.Name() && lines[3] == "", "the checkpoint's lines")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "the checkpoint's size")
	decoded, err := base64.StdEncoding.DecodeString(lines[2])
	check(err, "the checkpoint's root")
	var root tlog.Hash
	expect(copy(root[:], decoded) == tlog.HashSize, "the root's length")

	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for place, index := range indexes {
			found[place] = stored[index]
		}
		return found, nil
	})
	var leaves []tlog.Hash
	for number := int64(0); number*width < size; number++ {
		w := width
		if rest := size - number*width; rest < width {
			w = int(rest)
		}
		bundle, err := os.ReadFile(path(directory, "entries", number, w))
		check(err, "a bundle")
		for _, entry := range entries(bundle) {
			hashes, err := tlog.StoredHashes(int64(len(leaves)), entry, reader)
			check(err, "an entry")
			stored = append(stored, hashes...)
			leaves = append(leaves, tlog.RecordHash(entry))
		}
	}
	expect(int64(len(leaves)) == size, "the bundles have another number of entries than the checkpoint")
	made, err := tlog.TreeHash(size, reader)
	check(err, "the root")
	expect(made == root, "the entries do not make the signed root")

	for _, tile := range tlog.NewTiles(height, 0, size) {
		ours, err := os.ReadFile(path(directory, strconv.Itoa(tile.L), tile.N, tile.W))
		if tile.W < width && os.IsNotExist(err) {
			continue // Go also lists partial tiles of sizes before the last.
		}
		check(err, "a tile")
		theirs, err := tlog.ReadTileData(tile, reader)
		check(err, "a tile made anew")
		expect(bytes.Equal(ours, theirs), fmt.Sprintf("tile %d of level %d is not what its entries make", tile.N, tile.L))
	}
	for index, leaf := range leaves {
		proof, err := tlog.ProveRecord(size, int64(index), reader)
		check(err, "an inclusion proof")
		check(tlog.CheckRecord(proof, size, root, int64(index), leaf), "an inclusion proof does not hold")
	}
	before, err := tlog.TreeHash(old, reader)
	check(err, "the old root")
	growth, err := tlog.ProveTree(size, old, reader)
	check(err, "a consistency proof")
	check(tlog.CheckTree(growth, size, root, old, before), "a consistency proof does not hold")
	fmt.Printf("%d events, root %s, old root %s\n", size, root, before)
}
