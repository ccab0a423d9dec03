// Command verify checks a published log with the code of the Go checksum database, golang.org/x/mod/sumdb.
//
//	verify CASE
//
// CASE holds:
//
//	log/                    the published log: checkpoint, tile/...
//	log.vkey                the log's verifier key
//	witnesses               verifier keys (type 0x04), a line each; every one must have cosigned the checkpoint
//	proofs/NAME.tlog-proof  a proof, and NAME.entry, the entry that it is about
//	old/NAME.checkpoint     an older checkpoint, and NAME.proof, the consistency proof from it, a base64 hash a line
//
// It prints one line and exits 0 when all of it holds, else it names the first thing that does not and exits 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verify CASE")
		os.Exit(2)
	}
	said, err := verify(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(said)
}

func verify(folder string) (string, error) {
	// 1. The checkpoint: the log's signature and every witness's.
	keys, err := readKeys(folder)
	if err != nil {
		return "", err
	}
	root := filepath.Join(folder, "log")
	raw, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	if err != nil {
		return "", err
	}
	tree, err := keys.open(raw, true)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	// 2. The root, computed from the entry bundles alone.
	entries, err := readEntries(root, tree.N)
	if err != nil {
		return "", err
	}
	stored, err := build(entries)
	if err != nil {
		return "", err
	}
	if computed, err := tlog.TreeHash(tree.N, stored); err != nil || computed != tree.Hash {
		return "", fmt.Errorf("the root of the entries is %v, the signed one %v (%v)", computed, tree.Hash, err)
	}
	// 3. Every hash tile, byte for byte.
	tiles, err := compareTiles(root, tree.N, stored)
	if err != nil {
		return "", err
	}
	// 4. Inclusion, with proofs that x/mod makes from the tiles, which it authenticates.
	proven, err := proveFromTiles(root, tree, entries)
	if err != nil {
		return "", err
	}
	// 5. Inclusion, with the log's own proof files.
	proofs, err := checkProofFiles(filepath.Join(folder, "proofs"), keys)
	if err != nil {
		return "", err
	}
	// 6. Consistency with older checkpoints, with the log's own proofs.
	older, err := checkOlder(filepath.Join(folder, "old"), keys, tree)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("size %d root %v witnesses %d tiles %d proven %d proofs %d older %d",
		tree.N, tree.Hash, len(keys.witnesses), tiles, proven, proofs, older), nil
}

type keys struct {
	log       note.Verifier
	witnesses []note.Verifier
}

func readKeys(folder string) (*keys, error) {
	vkey, err := os.ReadFile(filepath.Join(folder, "log.vkey"))
	if err != nil {
		return nil, err
	}
	log, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return nil, err
	}
	found := &keys{log: log}
	witnesses, err := os.ReadFile(filepath.Join(folder, "witnesses"))
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Fields(string(witnesses)) {
		witness, err := newWitness(line)
		if err != nil {
			return nil, err
		}
		found.witnesses = append(found.witnesses, witness)
	}
	return found, nil
}

// open checks a signed checkpoint and returns its size and root; with witnessed, all witnesses must have cosigned.
func (k *keys) open(raw []byte, witnessed bool) (tlog.Tree, error) {
	opened, err := note.Open(raw, note.VerifierList(append([]note.Verifier{k.log}, k.witnesses...)...))
	if err != nil {
		return tlog.Tree{}, err
	}
	// note.Open is content with one known signature.
	signed := map[uint32]bool{}
	for _, signature := range opened.Sigs {
		signed[signature.Hash] = true
	}
	if !signed[k.log.KeyHash()] {
		return tlog.Tree{}, errors.New("the log has not signed")
	}
	for _, witness := range k.witnesses {
		if witnessed && !signed[witness.KeyHash()] {
			return tlog.Tree{}, fmt.Errorf("%s has not cosigned", witness.Name())
		}
	}
	return parseCheckpoint(opened.Text, k.log.Name())
}

// parseCheckpoint reads origin, size and root; tlog.ParseTree knows the checksum database's own form only.
func parseCheckpoint(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, errors.New("not three lines")
	}
	if lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("the origin is %q", lines[0])
	}
	size, err := parseNumber(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

func parseNumber(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 || strconv.FormatInt(number, 10) != text {
		return 0, fmt.Errorf("no number: %q", text)
	}
	return number, nil
}

// witness is a note.Verifier for cosignature/v1 (C2SP tlog-cosignature, type 0x04), which x/mod does not know.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed witness key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 0x04 {
		return nil, errors.New("not an Ed25519 witness key")
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if fmt.Sprintf("%x", digest[:4]) != parts[1] {
		return nil, errors.New("the key id is not the key's")
	}
	return &witness{parts[0], binary.BigEndian.Uint32(digest[:4]), key[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

// path is where C2SP tlog-tiles has a tile: x/mod names the height too, and calls bundles data.
func path(root string, tile tlog.Tile) string {
	name := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	return filepath.Join(root, strings.Replace(name, "tile/data/", "tile/entries/", 1))
}

// widest lists the tiles of a level: the full ones, and the partial one at the edge.
func widest(level int, hashes int64) []tlog.Tile {
	var tiles []tlog.Tile
	for start := int64(0); start < hashes; start += 1 << height {
		width := hashes - start
		if width > 1<<height {
			width = 1 << height
		}
		tiles = append(tiles, tlog.Tile{H: height, L: level, N: start >> height, W: int(width)})
	}
	return tiles
}

func readEntries(root string, size int64) ([][]byte, error) {
	var entries [][]byte
	for _, tile := range widest(-1, size) {
		name := path(root, tile)
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		bundle, err := decodeBundle(data)
		if err != nil || len(bundle) != tile.W {
			return nil, fmt.Errorf("%s: %d entries (%v)", name, len(bundle), err)
		}
		entries = append(entries, bundle...)
	}
	return entries, nil
}

func decodeBundle(data []byte) ([][]byte, error) {
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			return nil, errors.New("a cut length")
		}
		length := int(binary.BigEndian.Uint16(data))
		if data = data[2:]; len(data) < length {
			return nil, errors.New("a cut entry")
		}
		entries = append(entries, data[:length])
		data = data[length:]
	}
	return entries, nil
}

func build(entries [][]byte) (tlog.HashReader, error) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	for number, entry := range entries {
		more, err := tlog.StoredHashes(int64(number), entry, reader)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, more...)
	}
	return reader, nil
}

func compareTiles(root string, size int64, stored tlog.HashReader) (int, error) {
	count := 0
	for level := 0; size>>(height*level) > 0; level++ {
		for _, tile := range widest(level, size>>(height*level)) {
			published, err := os.ReadFile(path(root, tile))
			if err != nil {
				return count, err
			}
			expected, err := tlog.ReadTileData(tile, stored)
			if err != nil {
				return count, err
			}
			if !bytes.Equal(published, expected) {
				return count, fmt.Errorf("%s is not the tile of the entries", path(root, tile))
			}
			count++
		}
	}
	return count, nil
}

// files is a tlog.TileReader over the published folder.
type files struct{ root string }

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(path(f.root, tile))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path(f.root, tile), len(data))
		}
		found = append(found, data)
	}
	return found, nil
}

func proveFromTiles(root string, tree tlog.Tree, entries [][]byte) (int, error) {
	reader := tlog.TileHashReader(tree, files{root})
	count := 0
	for _, index := range []int64{0, 1, 254, 255, 256, 511, tree.N / 2, tree.N - 2, tree.N - 1} {
		if index < 0 || index >= tree.N {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entries[index]))
		}
		if err != nil {
			return count, fmt.Errorf("entry %d by tiles: %w", index, err)
		}
		count++
	}
	return count, nil
}

func checkProofFiles(folder string, keys *keys) (int, error) {
	names, err := list(folder, ".tlog-proof")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if err := checkProofFile(name, keys); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(names), nil
}

func checkProofFile(name string, keys *keys) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(strings.TrimSuffix(name, ".tlog-proof") + ".entry")
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(raw), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof file")
	}
	if lines = lines[1:]; strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("no index")
	}
	index, err := parseNumber(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return err
	}
	proof, err := parseHashes(lines[1:])
	if err != nil {
		return err
	}
	tree, err := keys.open([]byte(checkpoint), false)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func checkOlder(folder string, keys *keys, tree tlog.Tree) (int, error) {
	names, err := list(folder, ".checkpoint")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		old, err := keys.open(raw, false)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		lines, err := os.ReadFile(strings.TrimSuffix(name, ".checkpoint") + ".proof")
		if err != nil {
			return 0, err
		}
		proof, err := parseHashes(strings.Fields(string(lines)))
		if err == nil {
			err = tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(names), nil
}

func list(folder, suffix string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	sort.Strings(names)
	return names, err
}
