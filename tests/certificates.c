/* SPDX-License-Identifier: MIT */
#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_SECONDS 86400L

struct issue {
	const char *name, *alternatives; /* alternatives NULL: an authority */
	EVP_PKEY *key, *issuer_key;
	X509 *issuer;               /* NULL: itself */
	long not_before, not_after; /* seconds from now */
};

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool add_extensions(X509 *certificate, const struct issue *issue)
{
	X509 *issuer = issue->issuer ? issue->issuer : certificate;
	if (!issue->alternatives)
		return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
			add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
			add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth") &&
		add_extension(certificate, issuer, NID_subject_alt_name, issue->alternatives);
}

static X509 *make_certificate(const struct issue *issue)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	if (!certificate)
		return NULL;
	X509_NAME *name = X509_get_subject_name(certificate);
	bool ok = X509_set_version(certificate, X509_VERSION_3) &&
		ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++) &&
		X509_gmtime_adj(X509_getm_notBefore(certificate), issue->not_before) &&
		X509_gmtime_adj(X509_getm_notAfter(certificate), issue->not_after) &&
		X509_set_pubkey(certificate, issue->key) &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)issue->name, -1, -1, 0) &&
		X509_set_issuer_name(certificate, issue->issuer ? X509_get_subject_name(issue->issuer) : name) &&
		add_extensions(certificate, issue) && X509_sign(certificate, issue->issuer_key, EVP_sha256()) > 0;
	if (ok)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool write_certificate(const char *path, X509 *certificate)
{
	FILE *file = certificate ? fopen(path, "w") : NULL;
	bool ok = file && PEM_write_X509(file, certificate) == 1;
	return file && fclose(file) == 0 && ok;
}

static bool write_key(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");
	bool ok = file && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
	return file && fclose(file) == 0 && ok;
}

static bool write_issue(const char *path, const struct issue *issue)
{
	X509 *certificate = make_certificate(issue);
	bool ok = write_certificate(path, certificate);
	X509_free(certificate);
	return ok;
}

static bool write_all(const struct certificates *c, EVP_PKEY *ca_key, EVP_PKEY *key, X509 *ca)
{
	const char *names = "DNS:localhost,IP:127.0.0.1";
	struct issue good = {"localhost", names, key, ca_key, ca, -DAY_SECONDS, 30 * DAY_SECONDS};
	struct issue expired = {"localhost", names, key, ca_key, ca, -30 * DAY_SECONDS, -DAY_SECONDS};
	struct issue wrong = {"example.test", "DNS:example.test", key, ca_key, ca, -DAY_SECONDS, 30 * DAY_SECONDS};
	struct issue other = {"Another test authority", NULL, key, key, NULL, -DAY_SECONDS, 30 * DAY_SECONDS};
	return write_certificate(c->ca, ca) && write_key(c->key, key) && write_issue(c->good, &good) &&
		write_issue(c->expired, &expired) && write_issue(c->wrong_name, &wrong) &&
		write_issue(c->other_ca, &other);
}

static void make_paths(struct certificates *c)
{
	struct {
		char *path;
		const char *name;
	} files[] = {{c->ca, "ca.pem"}, {c->other_ca, "other_ca.pem"}, {c->key, "key.pem"}, {c->good, "good.pem"},
		{c->expired, "expired.pem"}, {c->wrong_name, "wrong_name.pem"}};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		snprintf(files[i].path, CERTIFICATES_PATH_SIZE, "%.70s/%s", c->folder, files[i].name);
}

int certificates_make(struct certificates *certificates)
{
	memset(certificates, 0, sizeof(*certificates));
	strcpy(certificates->folder, "/tmp/shipopt-certificates-XXXXXX");
	if (!mkdtemp(certificates->folder))
		return -1;
	make_paths(certificates);
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	struct issue authority = {"Test authority", NULL, ca_key, ca_key, NULL, -60 * DAY_SECONDS, 60 * DAY_SECONDS};
	X509 *ca = ca_key && key ? make_certificate(&authority) : NULL;
	bool ok = ca && write_all(certificates, ca_key, key, ca);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	if (!ok)
		certificates_remove(certificates);
	return ok ? 0 : -1;
}

void certificates_remove(struct certificates *certificates)
{
	const char *files[] = {certificates->ca, certificates->other_ca, certificates->key, certificates->good,
		certificates->expired, certificates->wrong_name};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	rmdir(certificates->folder);
}
