// Package attest signs a run, and checks what was signed.
//
// What is signed is an in-toto statement (https://in-toto.io/Statement/v1) about one
// file, the bag's tag manifest: through it the signature covers each byte of the bundle.
// Its predicate ([Facts]) repeats what identifies the run, so that a bundle can't pass for
// another run's: namespace, workflow ID, the Temporal runs with the number of their events
// and a Merkle root over them, the run's record, its head, and how it ended.
//
// The statement travels in a DSSE envelope. With P-256 the signature is ECDSA over the
// SHA-256 of the envelope's pre-authentication encoding (PAE), in ASN.1; with Ed25519 it
// is over the PAE itself. Both are deterministic: the same run signed twice with the same
// key has the same bytes. The PAE
//
//	DSSEv1 28 application/vnd.in-toto+json <length of the statement> <the statement>
//
// and the bare signature stand beside the envelope as files of their own, so that openssl
// checks them without R-LAM ([Commands]).
//
// A signature says that who holds the key signed these bytes, and nothing more: not when,
// and not that they tell the truth. Who holds the key can rewrite a run and sign it again.
package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"rlam/internal/canon"
)

// KeyType is an algorithm of signatures.
type KeyType string

// The algorithms.
const (
	P256    KeyType = "p256"    // ECDSA on NIST P-256 with SHA-256, nonces by RFC 6979
	Ed25519 KeyType = "ed25519" // RFC 8032
)

// Names of what PEM files hold.
const (
	privatePEM = "PRIVATE KEY" // PKCS #8
	publicPEM  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

// Key is a private key.
type Key struct {
	signer crypto.Signer
	public *PublicKey
}

// NewKey makes a key.
func NewKey(t KeyType) (*Key, error) {
	var signer crypto.Signer
	var err error
	switch t {
	case P256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("making a key of type %q: want %q or %q", t, P256, Ed25519)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key of type %q: %w", t, err)
	}
	return newKey(signer)
}

func newKey(signer crypto.Signer) (*Key, error) {
	public, err := newPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return &Key{signer: signer, public: public}, nil
}

// ParseKey reads a private key from PEM: PKCS #8, not encrypted.
func ParseKey(text []byte) (*Key, error) {
	der, err := onlyBlock(text, privatePEM)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w; make one with: starter keygen", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w; make one with: starter keygen", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading a private key: a %T can't sign; make one with: starter keygen", parsed)
	}
	return newKey(signer)
}

// PEM is the key as a file. Nobody but its owner may read it.
func (k *Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("spelling a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privatePEM, Bytes: der}), nil
}

// Public is the key that checks what this one signed.
func (k *Key) Public() *PublicKey { return k.public }

// Sign signs data, the same way each time.
func (k *Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	if k.public.Type == Ed25519 {
		return k.signer.Sign(nil, data, crypto.Hash(0))
	}
	digest := sha256.Sum256(data)
	return k.signer.Sign(nil, digest[:], crypto.SHA256) // without a source of chance it follows RFC 6979
}

// KeyID is the public key's id.
func (k *Key) KeyID() (string, error) { return k.public.ID.String(), nil }

// PublicKey is a key that signatures are checked against.
type PublicKey struct {
	Type KeyType
	ID   canon.Digest // SHA-256 of the key's SubjectPublicKeyInfo in DER
	key  crypto.PublicKey
	der  []byte
}

func newPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	p := &PublicKey{ID: canon.Sum(der), key: key, der: der}
	switch key := key.(type) {
	case ed25519.PublicKey:
		p.Type = Ed25519
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("reading a public key: its curve is %s; want P-256 or Ed25519", key.Curve.Params().Name)
		}
		p.Type = P256
	default:
		return nil, fmt.Errorf("reading a public key: a %T is not taken; want P-256 or Ed25519", key)
	}
	return p, nil
}

// ParsePublicKey reads a public key from PEM: a SubjectPublicKeyInfo, as openssl pkey
// -pubout writes it.
func ParsePublicKey(text []byte) (*PublicKey, error) {
	der, err := onlyBlock(text, publicPEM)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	return newPublicKey(key)
}

// PEM is the key as a file.
func (p *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicPEM, Bytes: p.der})
}

// Verify checks a signature over data by the algorithm of the key, whatever the
// signature says of itself.
func (p *PublicKey) Verify(_ context.Context, data, signature []byte) error {
	ok := false
	switch key := p.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, data, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(data)
		ok = ecdsa.VerifyASN1(key, digest[:], signature)
	}
	if !ok {
		return fmt.Errorf("checking a signature: it isn't one of key %s over these bytes", p.ID)
	}
	return nil
}

// KeyID is the key's id.
func (p *PublicKey) KeyID() (string, error) { return p.ID.String(), nil }

// Public is the key itself.
func (p *PublicKey) Public() crypto.PublicKey { return p.key }

// onlyBlock is what the one PEM block of a text holds.
func onlyBlock(text []byte, typ string) ([]byte, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("it is no PEM file")
	case block.Type != typ:
		return nil, fmt.Errorf("it holds a %q, want a %q", block.Type, typ)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("it holds more than one key")
	}
	return block.Bytes, nil
}
