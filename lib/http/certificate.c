/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "http/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/opensslv.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

#define PLACES_LIMIT 4096

static const char *const known_places[] = {
	"/etc/ssl/certs/ca-bundle.crt",                      /* Debian, Ubuntu, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 10 */
	"/etc/ssl/ca-bundle.pem",                            /* openSUSE */
	"/etc/ssl/cert.pem",                                 /* macOS, OpenBSD, Alpine */
	"/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
};

bool certificate_bundle_can_share(unsigned version_number, const char *tls_version)
{
	/* Several back-ends in one libcurl are listed as "(OpenSSL/3.0.0) GnuTLS/3.7": what is chosen is not known
	 * here. */
	char wanted[24];
	snprintf(wanted, sizeof(wanted), "OpenSSL/%d.", OPENSSL_VERSION_MAJOR);
	bool fills_late = version_number >= 0x080100 && version_number < 0x080300;
	return tls_version && text_has_prefix(tls_version, wanted) && !strchr(tls_version, ' ') && !fills_late;
}

/* Not an error of ours to keep: what went wrong is said by the path. */
static int certificate_store_load(const char *path, X509_STORE **ret_store)
{
	X509_STORE *store = fault_point() ? NULL : X509_STORE_new();
	if (!store)
		return SHIPOPT_ENOMEM;
	if (fault_point() || X509_STORE_load_file(store, path) != 1) {
		X509_STORE_free(store);
		ERR_clear_error();
		return SHIPOPT_ETLS;
	}
	/* As libcurl does: a server's own certificate, or an intermediate one, may be the anchor. */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	*ret_store = store;
	return 0;
}

static X509 *certificate_store_first(X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (certificate)
			return certificate;
	}
	return NULL;
}

static int certificate_copy_first(struct certificate_bundle *bundle)
{
	X509 *first = certificate_store_first(bundle->store);
	BIO *bio = first && !fault_point() ? BIO_new(BIO_s_mem()) : NULL;
	char *bytes = NULL;
	long length = 0;
	if (bio && PEM_write_bio_X509(bio, first) == 1)
		length = BIO_get_mem_data(bio, &bytes);
	char *copy = length > 0 ? mem_copy_bytes(bytes, (size_t)length) : NULL;
	BIO_free(bio);
	if (!first)
		return SHIPOPT_ETLS;
	if (!copy)
		return SHIPOPT_ENOMEM;
	bundle->first = (struct curl_blob){.data = copy, .len = (size_t)length, .flags = CURL_BLOB_NOCOPY};
	return 0;
}

/* The file must be loadable in both ways of using it, so it is always parsed once. */
static int certificate_try_file(struct certificate_bundle *bundle, const char *path)
{
	bundle->file = mem_copy_text(path);
	int r = bundle->file ? certificate_store_load(path, &bundle->store) : SHIPOPT_ENOMEM;
	if (r == 0)
		r = certificate_copy_first(bundle);
	bool is_shared = bundle->is_shared;
	if (r < 0 || !is_shared) {
		char *file = r < 0 ? NULL : TAKE(bundle->file);
		certificate_bundle_free(bundle);
		bundle->file = file;
		bundle->is_shared = is_shared;
	}
	return r;
}

static int certificate_load_wanted(struct certificate_bundle *bundle, const char *path, const char *where,
	shipopt_error **ret_error)
{
	int r = certificate_try_file(bundle, path);
	if (r == SHIPOPT_ETLS)
		return error_set(ret_error, r, "certificate bundle \"%s\" (%s) is not readable or holds no certificate",
			path, where);
	return r < 0 ? error_set(ret_error, r, "out of memory while loading certificate bundle \"%s\"", path) : 0;
}

static int certificate_load_found(struct certificate_bundle *bundle, const char *from_libcurl,
	shipopt_error **ret_error)
{
	struct buffer places;
	buffer_init(&places, PLACES_LIMIT);
	int r = SHIPOPT_ETLS;
	for (size_t i = 0; i <= ARRAY_SIZE(known_places) && r == SHIPOPT_ETLS; i++) {
		const char *path = i == 0 ? from_libcurl : known_places[i - 1];
		if (text_is_empty(path))
			continue;
		if (access(path, R_OK) == 0)
			r = certificate_try_file(bundle, path);
		if (r == SHIPOPT_ETLS && buffer_append_format(&places, ", %s", path) < 0)
			r = SHIPOPT_ENOMEM;
	}
	if (r == SHIPOPT_ETLS)
		error_set(ret_error, r,
			"no certificate bundle found; looked at the setting ca_file (not set), SSL_CERT_FILE "
			"(not set)%s",
			buffer_text(&places));
	else if (r < 0)
		error_set(ret_error, r, "out of memory while loading the certificate bundle");
	buffer_done(&places);
	return r;
}

int certificate_bundle_load(struct certificate_bundle *bundle, const char *setting, shipopt_error **ret_error)
{
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
	*bundle = (struct certificate_bundle){
		.is_shared = certificate_bundle_can_share(version->version_num, version->ssl_version)};
	if (!text_is_empty(setting))
		return certificate_load_wanted(bundle, setting, "setting ca_file", ret_error);
	const char *from_environment = getenv("SSL_CERT_FILE");
	if (!text_is_empty(from_environment))
		return certificate_load_wanted(bundle, from_environment, "environment SSL_CERT_FILE", ret_error);
	return certificate_load_found(bundle, version->cainfo, ret_error);
}

void certificate_bundle_free(struct certificate_bundle *bundle)
{
	mem_free(bundle->file);
	mem_free(bundle->first.data);
	X509_STORE_free(bundle->store);
	*bundle = (struct certificate_bundle){0};
}

static CURLcode certificate_on_tls_context(CURL *easy, void *context, void *userdata)
{
	SSL_CTX_set1_cert_store(context, userdata);
	return CURLE_OK;
}

bool certificate_bundle_apply(struct certificate_bundle *bundle, CURL *easy)
{
	bool ok = !fault_point() && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	if (ok)
		/* Not every TLS back-end knows a CApath, and one that does not has none to clear. */
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (!ok || !bundle->is_shared)
		return ok && curl_easy_setopt(easy, CURLOPT_CAINFO, bundle->file) == CURLE_OK;
	return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &bundle->first) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, certificate_on_tls_context) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, bundle->store) == CURLE_OK;
}
