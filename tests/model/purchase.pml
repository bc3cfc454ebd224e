/* SPDX-License-Identifier: MIT */
/*
 * The protocol by which a label is bought at most once, as a model for Spin. check.sh checks it.
 *
 * What stands for what:
 *
 *   row_of_order, write_...     the row and its transitions: lib/store/ledger.h
 *   HOLDS                       their compare-and-set on state and fencing token; who has the token knows the state
 *   resolve_not_bought, _bought shipopt_ledger_resolve()
 *   process, its steps          state x event -> action: lib/purchase/purchase_table.c
 *   step "answered", MAY_SEND   what an answer or a look-up proves: lib/purchase/evidence.c
 *   world                       the carrier, time, a person
 *
 * Two processes work on two orders. Each works on one order at a time and takes them in any sequence. An
 * order has up to two shipments, a shipment up to three purchases.
 *
 * A step is atomic and makes one durable commit, or hands one purchase to the carrier. Between any two steps
 * a process may crash and lose all but the rows. It may also stall until its lease has expired; then the
 * other process may take the order over, or a person may resolve it. A process that does not learn whether a
 * commit succeeded reads the row again, like one that starts after a crash, and does not repeat the commit. A
 * look-up and the commit that follows from it are one step: a stale replica may give the answer "no postage"
 * at any time, and postage that is there stays there, so that it makes no difference when the carrier is
 * read.
 *
 * Leases and fencing tokens: `holder` is the process that has the current token. An expired lease changes
 * nothing by itself, it permits a claim or a person's word, and these end the old token. So its expiry is not
 * a step of its own: the claim of an order that the other process holds stands for both. A process that has
 * lost its token goes on until its next compare-and-set fails. In particular it still sends the purchase for
 * which it had written `buying`. The numbers of tokens do not matter: a process takes a new token only after
 * it has forgotten the old one.
 *
 * The carrier sells one shipment once. Beyond that it is honest in one thing only: a listed refusal, an
 * expired rate and a 429 in the API's envelope mean that this very request bought nothing and never will.
 * After any other answer, or none, the purchase may be done already, be done at any later time, also beyond
 * the settle time, or never be done. POSTAGE.EXISTS may be said without cause. A creation may return the
 * shipment id of the other order; an id that a row had earlier and gave up with proof is like a new one.
 *
 * The settle time is a Boolean that becomes true at any time after `buying` was written. It has no weight for
 * safety, since purchases take effect before and after it.
 *
 * A person may say "not bought" of any purchase, also of one that was done or that takes effect later.
 *
 * Checked in every state:
 *
 *   - no two labels for one order, no label for two orders;
 *   - with -DSTRICT: when a row fails or is planned again, no purchase of its shipment is unproven, has
 *     taken effect or may take effect later; a label belongs to a row that is buying, in doubt or bought
 *     with that shipment; no shipment has more than three purchases.
 *
 * With -DSETTLE, and over all executions: `calm` becomes true at some time; then there are no more crashes,
 * stalls, persons and new runs over orders that have an end, while the carrier stays as it is. From then on
 * every execution comes to a state where both orders have an end for good: bought, failed, held, or in doubt
 * for a person. No process gets stuck.
 *
 * -DWRONG_1 to -DWRONG_10 each change one rule, and each must lead to two labels for one order or one label
 * for two. -DENDLESS and -DSTUCK must each be found with -DSETTLE.
 */

#ifdef STRICT
#define strictly(condition) assert(condition)
#else
#define strictly(condition) skip
#endif

#define ORDERS 2
#define SHIPMENTS 2 /* of an order */
#define SENDS 3     /* of a shipment */

mtype = { PLANNED, CREATED, BUYING, IN_DOUBT, BOUGHT, FAILED, HELD };

mtype = {
	SOLD_IT,
	EXISTS,
	LISTED,     /* a refusal in the API's envelope, with a listed status and code */
	EXPIRED,    /* the rate has: a listed refusal, too */
	LISTED_429, /* in the API's envelope, with a listed code; a refused credential, too */
	NOT_SENT,   /* canceled before, or no connection: certainly not sent */
	UNLISTED,   /* a refusal in the API's envelope that is not listed */
	BARE_429,   /* without the envelope */
	NO_ANSWER   /* lost, or a gateway's body */
};

#define NO_SHIPMENT 0
#define SHIPMENT_OF(k, n) (SHIPMENTS * (k) + (n)) /* the order's first is 1 */

typedef row_of_order {
	mtype state = PLANNED;
	unsigned shipment : 3;
	unsigned opened : 2;   /* shipments so far; bounds the model, not in the ledger */
	unsigned sends : 2;    /* how often `buying` was written for this shipment */
	unsigned unproven : 2; /* purchases of it that are not proven to have bought nothing */
	bit exists;            /* the carrier said that it was bought */
	bit refused;           /* the first purchase had an unlisted refusal */
	bit person;            /* not sent again until a person has looked */
	bit settled;           /* the settle time has passed since the newest `buying` */
	unsigned holder : 2    /* process + 1; 0: none */
};
row_of_order row[ORDERS];

#define NONE 0
#define PENDING 1 /* a purchase was received that may take effect at any time, or never */
#define SOLD 2
byte label[1 + ORDERS * SHIPMENTS]; /* of a shipment */

#ifdef SETTLE
bool calm;
#else
#define calm false
#endif

#define ME (_pid + 1)
#define OTHER(k) (1 - (k))
#define HOLDS(k) (row[k].holder == ME)
#define SENT(k) (row[k].state == BUYING || row[k].state == IN_DOUBT)
#define MAY_SEND(k) (!row[k].exists && !row[k].person && row[k].sends < SENDS)
#define MAY_PLAN(k) (row[k].opened < SHIPMENTS)
#define MAY_RERATE(k) (row[k].shipment != NO_SHIPMENT && row[k].sends < SENDS)
#define FOR_A_PERSON(k) (row[k].state == IN_DOUBT && \
	(row[k].exists || row[k].person || (row[k].sends == SENDS && row[k].unproven > 0)))
#define HAS_END(k) (row[k].state == BOUGHT || row[k].state == FAILED || row[k].state == HELD || FOR_A_PERSON(k))
#define MAY_CLAIM(k) (!HOLDS(k) && row[k].state != BOUGHT && \
	(row[k].state != FAILED || MAY_PLAN(k) || MAY_RERATE(k)) && \
	(!calm || (row[k].holder == 0 && !HAS_END(k))))

#define TWO_LABELS(k) (label[SHIPMENT_OF(k, 1)] == SOLD && label[SHIPMENT_OF(k, 2)] == SOLD)
#define SHARED_LABEL (row[0].state == BOUGHT && row[1].state == BOUGHT && row[0].shipment == row[1].shipment)

/* ---- the row ----------------------------------------------------------------------------------------------- */

inline write_planned(k)
{
	strictly(row[k].unproven == 0 && label[row[k].shipment] == NONE);
	row[k].state = PLANNED;
	row[k].shipment = NO_SHIPMENT;
	row[k].sends = 0;
	row[k].unproven = 0;
	row[k].exists = 0;
	row[k].refused = 0;
	row[k].person = 0;
	row[k].settled = 0
}

inline write_buying(k)
{
	strictly(row[k].sends < SENDS);
	row[k].state = BUYING;
	row[k].sends++;
#ifdef WRONG_5 /* a flag of the last purchase instead of a count */
	row[k].unproven = 1;
#else
	row[k].unproven++;
#endif
	row[k].settled = 0;
	sent = row[k].shipment
}

inline write_failed(k)
{
	strictly(row[k].unproven == 0 && label[row[k].shipment] == NONE);
	row[k].state = FAILED
}

inline write_bought(k)
{
	row[k].state = BOUGHT;
	assert(!SHARED_LABEL)
}

/* ---- a process --------------------------------------------------------------------------------------------- */

/* It ends its work on the order and gives up the lease, or it crashes. It keeps nothing in memory. */
inline leave()
{
	if
	:: HOLDS(key) -> row[key].holder = 0
	:: else
	fi;
	key = 0;
	sent = NO_SHIPMENT;
	is_refused = false;
	goto idle
}

/* Alternatives of each step. The first is also how a run whose time is over ends in doubt. */
#define CRASH !calm -> leave()
#define TOKEN_LOST !HOLDS(key) -> leave()

hidden mtype answer; /* lives within one step: no part of the state */

active [2] proctype process()
{
	byte key, sent;
	bool is_refused; /* the purchase was not done and never will be */

end_idle:
idle:
	atomic { /* claim */
		if
		:: MAY_CLAIM(0) -> key = 0
		:: MAY_CLAIM(1) -> key = 1
		fi;
		row[key].holder = ME;
#ifdef WRONG_6 /* a take-over forgets the count */
		if
		:: SENT(key) ->
			row[key].sends = 0;
			row[key].unproven = 0
		:: else
		fi;
#endif
	}

work: /* go on from what the row says */
	atomic {
		if
		:: CRASH
		:: TOKEN_LOST

		/* The shipment was created and rated. */
		:: HOLDS(key) && row[key].state == PLANNED && MAY_PLAN(key) ->
			row[key].opened++;
			row[key].shipment = SHIPMENT_OF(key, row[key].opened);
			if
			:: write_buying(key); goto send      /* `created` and `buying` are one commit */
			:: row[key].state = CREATED; leave() /* a rate run ends here */
			fi
		/* It came with the id of the other order's shipment. */
		:: HOLDS(key) && row[key].state == PLANNED && row[OTHER(key)].shipment != NO_SHIPMENT ->
#ifdef WRONG_9 /* ids are not unique among the rows */
			row[key].shipment = row[OTHER(key)].shipment;
			write_buying(key);
			goto send
#else
			row[key].state = HELD;
			leave()
#endif
		/* The creation was refused. */
		:: HOLDS(key) && row[key].state == PLANNED -> write_failed(key); leave()

		:: HOLDS(key) && row[key].state == CREATED -> write_buying(key); goto send
		/* Every purchase of it was proven not done, and a re-rate says that it has postage. */
		:: HOLDS(key) && row[key].state == CREATED && row[key].sends > 0 ->
			row[key].state = IN_DOUBT;
			row[key].unproven = 1;
			row[key].exists = 1;
			leave()

		/* A new shipment: the order was changed, corrected, or has failed. */
		:: HOLDS(key) && (row[key].state == CREATED || row[key].state == FAILED || row[key].state == HELD) &&
				MAY_PLAN(key) ->
			write_planned(key);
			goto work
		/* The same shipment, rated again. */
		:: HOLDS(key) && row[key].state == FAILED && MAY_RERATE(key) -> write_buying(key); goto send

		/* A look-up: postage. */
		:: HOLDS(key) && SENT(key) && label[row[key].shipment] == SOLD -> write_bought(key); leave()
		/* No postage, or an old replica that does not have it. */
#ifdef ENDLESS /* an order that waits for a person is looked up without end */
		:: HOLDS(key) && SENT(key) && !MAY_SEND(key) -> row[key].state = IN_DOUBT; goto work
#else
		:: HOLDS(key) && SENT(key) && !MAY_SEND(key) -> row[key].state = IN_DOUBT; leave()
#endif
		:: HOLDS(key) && SENT(key) && MAY_SEND(key) && row[key].settled ->
			if
#ifdef WRONG_2 /* proof from a look-up alone */
			:: row[key].unproven = 0; write_failed(key); leave()
#endif
#ifdef WRONG_3 /* proof from an unlisted refusal with a look-up */
			:: row[key].refused -> row[key].unproven = 0; write_failed(key); leave()
#endif
			:: row[key].refused ->
				row[key].state = IN_DOUBT;
				row[key].person = 1;
				leave()
			:: !row[key].refused -> write_buying(key); goto send
			fi
		fi
	}

send: /* the carrier receives the purchase, no matter who holds the order by now */
	atomic {
		if
		:: CRASH
		:: is_refused = true /* or not sent */
		:: label[sent] == NONE -> label[sent] = PENDING
		:: label[sent] != NONE
		fi;
		sent = NO_SHIPMENT;
		if
		:: HOLDS(key)
		:: else -> leave()
		fi
	}

	/* answered: */
	atomic {
		if
		:: CRASH
		:: TOKEN_LOST
		:: HOLDS(key)
		fi;
		if
		:: is_refused -> answer = LISTED
		:: is_refused -> answer = EXPIRED
		:: is_refused -> answer = LISTED_429
		:: is_refused -> answer = NOT_SENT
		:: !is_refused && label[row[key].shipment] == SOLD -> answer = SOLD_IT
		:: !is_refused -> answer = UNLISTED
		:: !is_refused -> answer = BARE_429
		:: !is_refused -> answer = NO_ANSWER
		:: answer = EXISTS
		fi;
		is_refused = false;

		/* A proof is about this very purchase. */
		row[key].state = IN_DOUBT;
		if
#ifdef WRONG_1 /* proof from a second refusal */
		:: answer == LISTED -> row[key].unproven = 0
#endif
#ifdef WRONG_10 /* a commit in doubt is repeated, and its proof is counted twice */
		:: (answer == LISTED || answer == NOT_SENT) && row[key].unproven > 1 ->
			row[key].unproven = row[key].unproven - 2
#endif
#ifdef WRONG_7 /* a 429 believed that came after the work */
		:: answer == BARE_429 -> answer = LISTED_429; row[key].unproven--
#endif
		:: answer == LISTED || answer == EXPIRED || answer == LISTED_429 || answer == NOT_SENT -> row[key].unproven--
		:: else
		fi;

		if
		:: answer == SOLD_IT -> write_bought(key); leave()
		:: answer == EXISTS -> row[key].exists = 1; goto work
		:: answer == BARE_429 || answer == NO_ANSWER -> goto work
		:: answer == UNLISTED && row[key].sends == 1 -> row[key].refused = 1; goto work
		:: answer == UNLISTED && row[key].sends > 1 -> row[key].person = 1; goto work

		/* This one bought nothing, but one before it may have. */
		:: answer == LISTED && row[key].unproven > 0 -> row[key].person = 1; goto work
#ifdef WRONG_4 /* an expired repeat passes through `failed` */
		:: answer == EXPIRED && row[key].unproven > 0 -> write_failed(key); goto again
#endif
		:: answer == EXPIRED && row[key].unproven > 0 && MAY_SEND(key) -> goto again
		:: answer == EXPIRED && row[key].unproven > 0 && !MAY_SEND(key) -> goto work
		:: (answer == LISTED_429 || answer == NOT_SENT) && row[key].unproven > 0 -> goto work

		/* None bought anything. */
		:: answer == LISTED && row[key].unproven == 0 -> write_failed(key); leave()
		:: (answer == EXPIRED || answer == LISTED_429 || answer == NOT_SENT) && row[key].unproven == 0 ->
			row[key].state = CREATED;
			if
			:: MAY_SEND(key) -> goto again
#ifdef STUCK /* three purchases that are proven not done leave the row in doubt */
			:: !MAY_SEND(key) -> leave()
#else
			:: write_failed(key); leave()
#endif
			fi
		fi
	}

again: /* without a look-up; a new rate for one that has expired is written in the same commit */
	atomic {
		if
		:: CRASH
		:: TOKEN_LOST
		:: HOLDS(key) -> write_buying(key); goto send
		fi
	}
}

/* ---- the carrier, time, a person --------------------------------------------------------------------------- */

inline take_effect(k, n)
{
	label[SHIPMENT_OF(k, n)] == PENDING ->
	label[SHIPMENT_OF(k, n)] = SOLD;
	assert(!TWO_LABELS(k));
	strictly(SENT(k) && row[k].shipment == SHIPMENT_OF(k, n))
}

inline settle(k)
{
	SENT(k) && !row[k].settled -> row[k].settled = 1
}

/* The same shipment may be sent again, and one purchase of it stays unproven. */
inline resolve_not_bought(k)
{
#ifdef WRONG_8 /* a person, right only at the moment of looking, clears the count */
	!calm && SENT(k) && label[row[k].shipment] != SOLD ->
	row[k].unproven = 0;
#else
	!calm && SENT(k) ->
	row[k].unproven = 1;
#endif
	row[k].state = IN_DOUBT;
	row[k].sends = 1;
	row[k].exists = 0;
	row[k].refused = 0;
	row[k].person = 0;
	row[k].holder = 0
}

inline resolve_bought(k)
{
	!calm && SENT(k) && label[row[k].shipment] == SOLD ->
	row[k].holder = 0;
	write_bought(k)
}

active proctype world()
{
end:
	do
	:: atomic { take_effect(0, 1) }
	:: atomic { take_effect(0, 2) }
	:: atomic { take_effect(1, 1) }
	:: atomic { take_effect(1, 2) }
	:: atomic { settle(0) }
	:: atomic { settle(1) }
	:: atomic { resolve_not_bought(0) }
	:: atomic { resolve_not_bought(1) }
	:: atomic { resolve_bought(0) }
	:: atomic { resolve_bought(1) }
#ifdef SETTLE
	:: atomic { !calm -> calm = true }
#endif
	od
}

#ifdef SETTLE
/* The negation of [] (calm -> <> [] (HAS_END(0) && HAS_END(1))). Written by hand, as Spin's own translation of
 * the formula is nondeterministic and takes twice as long. An execution that is stuck counts as one that stays
 * as it is for ever. */
never {
faults:
	if
	:: !calm -> goto faults
	:: calm -> goto calmed
	fi;
calmed:
	if
	:: HAS_END(0) && HAS_END(1) -> goto calmed
	:: else -> goto accept_open
	fi;
accept_open:
	if
	:: HAS_END(0) && HAS_END(1) -> goto calmed
	:: else -> goto accept_open
	fi
}
#endif
