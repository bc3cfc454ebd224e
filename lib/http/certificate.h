/* SPDX-License-Identifier: MIT */
#ifndef HTTP_CERTIFICATE_H
#define HTTP_CERTIFICATE_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "base/error.h"

/*
 * The certificates that servers are checked against.
 *
 * Where they come from, first match: the setting, the file that SSL_CERT_FILE names, libcurl's own default, the places
 * where systems keep them. The first two are somebody's wish: if such a file cannot be loaded that is the error, and no
 * other set of authorities is trusted instead.
 *
 * Parsing a system bundle costs about 20 ms, and libcurl does it for each connection unless its cache applies (one per
 * multi, only without CApath, which newer versions put back). So the bundle is parsed once, here, on the thread
 * that makes the engine, into an X509_STORE which every TLS context of every multi then shares: `is_shared`. libcurl
 * still wants authorities of its own: it is given the first of the bundle alone, in memory.
 *
 * That needs a libcurl whose TLS is the very OpenSSL we are linked with, and that does not fill the context after our callback
 * (8.1.0 to 8.2.1 do, libcurl's pull request 11805). Elsewhere libcurl gets the file, no CApath, and its own cache does
 * what it can. Nothing here changes after certificate_bundle_load(); the store locks itself.
 */
struct certificate_bundle {
	char *file;
	bool is_shared;
	X509_STORE *store;      /* NULL unless shared */
	struct curl_blob first; /* of the bundle, as PEM; owned; unless shared empty */
};

/* SHIPOPT_ETLS names the places looked at; SHIPOPT_ENOMEM. */
int certificate_bundle_load(struct certificate_bundle *bundle, const char *setting, shipopt_error **ret_error);
void certificate_bundle_free(struct certificate_bundle *bundle);
/* Sets all options about whom to trust; verification of peer and host is always on. False: libcurl refused. */
bool certificate_bundle_apply(struct certificate_bundle *bundle, CURL *easy);
/* Whether a libcurl of this version and TLS back-end lets its callers keep the store. */
bool certificate_bundle_can_share(unsigned version_number, const char *tls_version);

#endif
