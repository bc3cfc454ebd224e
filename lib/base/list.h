/* SPDX-License-Identifier: MIT */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/macro.h"

/*
 * An intrusive doubly linked list. A `struct list_node` is embedded in each member and its address is the
 * membership; a head is a node of its own. An unlinked node points to itself, so removing twice is harmless.
 */
struct list_node {
	struct list_node *previous, *next;
};

#define LIST_MEMBER(node, type, member) CONTAINER_OF(node, type, member)

static inline void list_init(struct list_node *node)
{
	node->previous = node->next = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list_node *node)
{
	return node->next != node;
}

static inline void list_insert_after(struct list_node *position, struct list_node *node)
{
	node->previous = position;
	node->next = position->next;
	position->next->previous = node;
	position->next = node;
}

static inline void list_push_back(struct list_node *head, struct list_node *node)
{
	list_insert_after(head->previous, node);
}

static inline void list_push_front(struct list_node *head, struct list_node *node)
{
	list_insert_after(head, node);
}

static inline void list_remove(struct list_node *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_init(node);
}

static inline struct list_node *list_first(const struct list_node *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

static inline struct list_node *list_pop_front(struct list_node *head)
{
	struct list_node *node = list_first(head);
	if (node)
		list_remove(node);
	return node;
}

/* Moves every member of `from` to the end of `head`; `from` is empty afterwards. */
static inline void list_splice_back(struct list_node *head, struct list_node *from)
{
	if (list_is_empty(from))
		return;
	from->next->previous = head->previous;
	head->previous->next = from->next;
	from->previous->next = head;
	head->previous = from->previous;
	list_init(from);
}

/* Walks the members; the current one may be removed inside the loop. */
#define LIST_FOREACH(node, head)                                                                \
	for (struct list_node *node = (head)->next, *node##_next_ = node->next; node != (head); \
		node = node##_next_, node##_next_ = node->next)

#endif
