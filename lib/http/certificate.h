/* SPDX-License-Identifier: MIT */
#ifndef HTTP_CERTIFICATE_H
#define HTTP_CERTIFICATE_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "base/error.h"

/*
 * The certificate authorities that servers are checked against.
 *
 * The first of these is used: the setting, the file that SSL_CERT_FILE names, libcurl's own default, the usual places
 * of systems. The first two were chosen by somebody. If such a file cannot be loaded, that is the error, and no other
 * authorities are trusted instead.
 *
 * Parsing the bundle of a system takes about 20 ms. libcurl does it for each connection unless its cache applies. That
 * cache is one per multi and only works without CApath, which newer versions set by default. So the engine parses the
 * bundle once, into an X509_STORE. Every TLS context shares it (`is_shared`). libcurl does not connect without
 * authorities, and gets the first one of the bundle, from memory.
 *
 * Sharing needs a libcurl that uses the same OpenSSL as this library. It must not fill the context after our callback,
 * as 8.1.0 to 8.2.1 do (libcurl's pull request 11805). Any other libcurl gets the file and no CApath, and its own cache
 * applies. Nothing here changes after certificate_bundle_load(). The store locks itself.
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
