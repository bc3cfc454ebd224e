/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_LABEL_H
#define SANDBOX_LABEL_H

#include "base/buffer.h"

/*
 * Label files: small, but real ones. A PNG whose bars follow from the label's name, a one-page PDF, a ZPL program.
 * They are made when they are fetched; nothing is stored.
 */

/* The file of this name ("pl_….png", ".pdf", ".zpl"). SHIPOPT_ENOTFOUND for another name, SHIPOPT_ENOMEM. */
int label_file(const char *name, struct buffer *buffer, const char **ret_content_type);

#endif
