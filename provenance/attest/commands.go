package attest

// Commands are the lines of a POSIX shell that check a bag and its signature with
// sha512sum and openssl alone, in the bag's folder. Each ends with exit code 0 if what it
// checks holds. What they leave unchecked, package verify checks.
func Commands(t KeyType) []string {
	check := "openssl dgst -sha256 -verify " + KeyFile + " -signature " + SignatureFile + " " + PAEFile
	if t == Ed25519 {
		check = "openssl pkeyutl -verify -pubin -inkey " + KeyFile + " -rawin -in " + PAEFile + " -sigfile " + SignatureFile
	}
	return []string{
		"sha512sum --strict --quiet -c manifest-sha512.txt",
		"sha512sum --strict --quiet -c " + Subject,
		check,
		`grep -q "$(sha512sum ` + Subject + ` | cut -d ' ' -f 1)" ` + PAEFile,
		"openssl pkey -pubin -in " + KeyFile + " -outform DER | sha256sum",
	}
}
