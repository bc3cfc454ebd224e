/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

/*
 * A throw-away certificate authority and server certificates that it signed, made for one test in a folder of its
 * own: a good one for localhost and 127.0.0.1, one that expired yesterday, one for another name. All of the server's
 * share one key. Elliptic curve P-256, made in about a millisecond each. `certificates_remove` deletes the folder.
 */
#define CERTIFICATES_PATH_SIZE 96

struct certificates {
	char folder[CERTIFICATES_PATH_SIZE];
	char ca[CERTIFICATES_PATH_SIZE];       /* PEM files */
	char other_ca[CERTIFICATES_PATH_SIZE]; /* signed none of them */
	char key[CERTIFICATES_PATH_SIZE];
	char good[CERTIFICATES_PATH_SIZE];
	char expired[CERTIFICATES_PATH_SIZE];
	char wrong_name[CERTIFICATES_PATH_SIZE];
};

/* 0, or -1 if a file or OpenSSL failed. */
int certificates_make(struct certificates *certificates);
void certificates_remove(struct certificates *certificates);

#endif
