/* SPDX-License-Identifier: MIT */
#ifndef RECORD_FIELDS_H
#define RECORD_FIELDS_H

/*
 * The one table of kinds and fields. Everything about them comes from here: the codec, the columns of order files,
 * reflection, fingerprints; the numbers in <shipopt/record_fields.h> are proved equal to these in field.c.
 *
 * Numbers are written into databases and other people's programs: they are explicit, only ever appended, never
 * reused. Within a kind they are dense from 1, as they index a record's values.
 *
 * A line is F(kind, field, number, codec, kind of children or 0, role, JSON key, column or NULL).
 *
 * codec   TEXT INTEGER DECIMAL MONEY TIME BOOLEAN JSON CHILD LIST, as the public types; COUNTRY is text that order
 *         files may give as a name; FLAT is text that the wire also has as a list or an object (flattened); DOCUMENT is
 *         text that may be a whole label or form (a data: URI, a file in base64), with a higher bound than other text.
 * role    what the field says, and with it where it may be sent. A creation (RECORD_ENCODE_CREATION) carries REQUEST
 *         and IDENTITY alone: nothing else is needed to make a shipment, and the rest may spend money.
 *         REQUEST: part of what a caller asks for, so part of the fingerprint.
 *         WISH: asked for too, but says which rate is to be bought. The carrier buys a shipment at once whose creation
 *         has it. Orders keep it beside their shipment (order_adopt_service), the calls that make a shipment refuse it.
 *         PURCHASE: asked for too, but paid: it goes with the purchase.
 *         SERVER: made by the carrier.
 *         IDENTITY: the carrier's id; it counts as a request only where it stands for the whole child. The id of a
 *         shipment is SERVER, as a shipment is nobody's child: what is created is a new one.
 * column  the header of order files. That of a child is the prefix of its fields' columns ("to_" and "zip" make
 *         "to_zip"), that of a list stands in front of a number ("item1_value"; without one the first item is
 *         meant), "option_" takes any name behind it. The columns of a shipment are therefore:
 *
 *           reference, is_return, insurance, carrier_accounts (ids, comma separated)
 *           to_name, to_company, to_street1, to_street2, to_city, to_state, to_zip, to_country, to_phone, to_email,
 *           to_residential, to_federal_tax_id, to_state_tax_id; the same with from_, return_, buyer_
 *           length_in, width_in, height_in, weight_oz, predefined_package
 *           contents_type, contents_explanation, customs_certify, customs_signer, eel_pfc, non_delivery_option,
 *           restriction_type, restriction_comments, declaration
 *           item1_description, item1_quantity, item1_value, item1_weight_oz, item1_hs_code, item1_origin_country,
 *           item1_currency, item1_code, item1_manufacturer, item1_eccn; up to item20_
 *           tax_id_entity, tax_id_number, tax_id_type, tax_id_country; up to tax_id20_
 *           option_<name>: "true" and "false" become booleans, anything else text
 */

/* K(number, KIND, kind) */
#define RECORD_KINDS(K)                       \
	K(1, ADDRESS, address)                \
	K(2, PARCEL, parcel)                  \
	K(3, CUSTOMS_INFO, customs_info)      \
	K(4, CUSTOMS_ITEM, customs_item)      \
	K(5, SHIPMENT, shipment)              \
	K(6, RATE, rate)                      \
	K(7, FEE, fee)                        \
	K(8, MESSAGE, message)                \
	K(9, POSTAGE_LABEL, postage_label)    \
	K(10, TRACKER, tracker)               \
	K(11, TRACKING_EVENT, tracking_event) \
	K(12, LOCATION, location)             \
	K(13, CARRIER_DETAIL, carrier_detail) \
	K(14, TAX_IDENTIFIER, tax_identifier) \
	K(15, FORM, form)                     \
	K(16, REFUND, refund)

#define RECORD_FIELDS_ADDRESS(F)                                                             \
	F(ADDRESS, NAME, 1, TEXT, 0, REQUEST, "name", "name")                                \
	F(ADDRESS, COMPANY, 2, TEXT, 0, REQUEST, "company", "company")                       \
	F(ADDRESS, STREET1, 3, TEXT, 0, REQUEST, "street1", "street1")                       \
	F(ADDRESS, STREET2, 4, TEXT, 0, REQUEST, "street2", "street2")                       \
	F(ADDRESS, CITY, 5, TEXT, 0, REQUEST, "city", "city")                                \
	F(ADDRESS, STATE, 6, TEXT, 0, REQUEST, "state", "state")                             \
	F(ADDRESS, ZIP, 7, TEXT, 0, REQUEST, "zip", "zip")                                   \
	F(ADDRESS, COUNTRY, 8, COUNTRY, 0, REQUEST, "country", "country")                    \
	F(ADDRESS, PHONE, 9, TEXT, 0, REQUEST, "phone", "phone")                             \
	F(ADDRESS, EMAIL, 10, TEXT, 0, REQUEST, "email", "email")                            \
	F(ADDRESS, RESIDENTIAL, 11, BOOLEAN, 0, REQUEST, "residential", "residential")       \
	F(ADDRESS, CARRIER_FACILITY, 12, TEXT, 0, REQUEST, "carrier_facility", NULL)         \
	F(ADDRESS, FEDERAL_TAX_ID, 13, TEXT, 0, REQUEST, "federal_tax_id", "federal_tax_id") \
	F(ADDRESS, STATE_TAX_ID, 14, TEXT, 0, REQUEST, "state_tax_id", "state_tax_id")       \
	F(ADDRESS, ID, 15, TEXT, 0, IDENTITY, "id", NULL)                                    \
	F(ADDRESS, MODE, 16, TEXT, 0, SERVER, "mode", NULL)                                  \
	F(ADDRESS, CREATED_AT, 17, TIME, 0, SERVER, "created_at", NULL)                      \
	F(ADDRESS, UPDATED_AT, 18, TIME, 0, SERVER, "updated_at", NULL)                      \
	F(ADDRESS, VERIFICATIONS, 19, JSON, 0, SERVER, "verifications", NULL)

#define RECORD_FIELDS_PARCEL(F)                                                                        \
	F(PARCEL, LENGTH, 1, DECIMAL, 0, REQUEST, "length", "length_in")                               \
	F(PARCEL, WIDTH, 2, DECIMAL, 0, REQUEST, "width", "width_in")                                  \
	F(PARCEL, HEIGHT, 3, DECIMAL, 0, REQUEST, "height", "height_in")                               \
	F(PARCEL, PREDEFINED_PACKAGE, 4, TEXT, 0, REQUEST, "predefined_package", "predefined_package") \
	F(PARCEL, WEIGHT, 5, DECIMAL, 0, REQUEST, "weight", "weight_oz")                               \
	F(PARCEL, ID, 6, TEXT, 0, IDENTITY, "id", NULL)                                                \
	F(PARCEL, MODE, 7, TEXT, 0, SERVER, "mode", NULL)                                              \
	F(PARCEL, CREATED_AT, 8, TIME, 0, SERVER, "created_at", NULL)                                  \
	F(PARCEL, UPDATED_AT, 9, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_CUSTOMS_INFO(F)                                                                              \
	F(CUSTOMS_INFO, CONTENTS_TYPE, 1, TEXT, 0, REQUEST, "contents_type", "contents_type")                      \
	F(CUSTOMS_INFO, CONTENTS_EXPLANATION, 2, TEXT, 0, REQUEST, "contents_explanation", "contents_explanation") \
	F(CUSTOMS_INFO, CUSTOMS_CERTIFY, 3, BOOLEAN, 0, REQUEST, "customs_certify", "customs_certify")             \
	F(CUSTOMS_INFO, CUSTOMS_SIGNER, 4, TEXT, 0, REQUEST, "customs_signer", "customs_signer")                   \
	F(CUSTOMS_INFO, EEL_PFC, 5, TEXT, 0, REQUEST, "eel_pfc", "eel_pfc")                                        \
	F(CUSTOMS_INFO, NON_DELIVERY_OPTION, 6, TEXT, 0, REQUEST, "non_delivery_option", "non_delivery_option")    \
	F(CUSTOMS_INFO, RESTRICTION_TYPE, 7, TEXT, 0, REQUEST, "restriction_type", "restriction_type")             \
	F(CUSTOMS_INFO, RESTRICTION_COMMENTS, 8, TEXT, 0, REQUEST, "restriction_comments", "restriction_comments") \
	F(CUSTOMS_INFO, DECLARATION, 9, TEXT, 0, REQUEST, "declaration", "declaration")                            \
	F(CUSTOMS_INFO, CUSTOMS_ITEMS, 10, LIST, SHIPOPT_RECORD_CUSTOMS_ITEM, REQUEST, "customs_items", "item")    \
	F(CUSTOMS_INFO, ID, 11, TEXT, 0, IDENTITY, "id", NULL)                                                     \
	F(CUSTOMS_INFO, MODE, 12, TEXT, 0, SERVER, "mode", NULL)                                                   \
	F(CUSTOMS_INFO, CREATED_AT, 13, TIME, 0, SERVER, "created_at", NULL)                                       \
	F(CUSTOMS_INFO, UPDATED_AT, 14, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_CUSTOMS_ITEM(F)                                                                             \
	F(CUSTOMS_ITEM, DESCRIPTION, 1, TEXT, 0, REQUEST, "description", "description")                           \
	F(CUSTOMS_ITEM, QUANTITY, 2, INTEGER, 0, REQUEST, "quantity", "quantity")                                 \
	F(CUSTOMS_ITEM, VALUE, 3, MONEY, 0, REQUEST, "value", "value")                                            \
	F(CUSTOMS_ITEM, WEIGHT, 4, DECIMAL, 0, REQUEST, "weight", "weight_oz")                                    \
	F(CUSTOMS_ITEM, HS_TARIFF_NUMBER, 5, TEXT, 0, REQUEST, "hs_tariff_number", "hs_code")                     \
	F(CUSTOMS_ITEM, ORIGIN_COUNTRY, 6, COUNTRY, 0, REQUEST, "origin_country", "origin_country")               \
	F(CUSTOMS_ITEM, CURRENCY, 7, TEXT, 0, REQUEST, "currency", "currency")                                    \
	F(CUSTOMS_ITEM, CODE, 8, TEXT, 0, REQUEST, "code", "code")                                                \
	F(CUSTOMS_ITEM, MANUFACTURER, 9, TEXT, 0, REQUEST, "manufacturer", "manufacturer")                        \
	F(CUSTOMS_ITEM, ECCN, 10, TEXT, 0, REQUEST, "eccn", "eccn")                                               \
	F(CUSTOMS_ITEM, PRINTED_COMMODITY_IDENTIFIER, 11, TEXT, 0, REQUEST, "printed_commodity_identifier", NULL) \
	F(CUSTOMS_ITEM, ID, 12, TEXT, 0, IDENTITY, "id", NULL)                                                    \
	F(CUSTOMS_ITEM, MODE, 13, TEXT, 0, SERVER, "mode", NULL)                                                  \
	F(CUSTOMS_ITEM, CREATED_AT, 14, TIME, 0, SERVER, "created_at", NULL)                                      \
	F(CUSTOMS_ITEM, UPDATED_AT, 15, TIME, 0, SERVER, "updated_at", NULL)

/*
 * INSURANCE is the value of the contents in US dollars, with no currency beside it: the carrier reads the number as
 * dollars whatever currency rates, options.currency or customs items have. It is bought with the label (`insurance` of
 * POST /shipments/{id}/buy) or later (POST /shipments/{id}/insure), for a fee on top of the postage.
 */
#define RECORD_FIELDS_SHIPMENT(F)                                                                                   \
	F(SHIPMENT, REFERENCE, 1, TEXT, 0, REQUEST, "reference", "reference")                                       \
	F(SHIPMENT, TO_ADDRESS, 2, CHILD, SHIPOPT_RECORD_ADDRESS, REQUEST, "to_address", "to_")                     \
	F(SHIPMENT, FROM_ADDRESS, 3, CHILD, SHIPOPT_RECORD_ADDRESS, REQUEST, "from_address", "from_")               \
	F(SHIPMENT, RETURN_ADDRESS, 4, CHILD, SHIPOPT_RECORD_ADDRESS, REQUEST, "return_address", "return_")         \
	F(SHIPMENT, BUYER_ADDRESS, 5, CHILD, SHIPOPT_RECORD_ADDRESS, REQUEST, "buyer_address", "buyer_")            \
	F(SHIPMENT, PARCEL, 6, CHILD, SHIPOPT_RECORD_PARCEL, REQUEST, "parcel", "")                                 \
	F(SHIPMENT, CUSTOMS_INFO, 7, CHILD, SHIPOPT_RECORD_CUSTOMS_INFO, REQUEST, "customs_info", "")               \
	F(SHIPMENT, OPTIONS, 8, JSON, 0, REQUEST, "options", "option_")                                             \
	F(SHIPMENT, IS_RETURN, 9, BOOLEAN, 0, REQUEST, "is_return", "is_return")                                    \
	F(SHIPMENT, INSURANCE, 10, MONEY, 0, PURCHASE, "insurance", "insurance")                                    \
	F(SHIPMENT, TAX_IDENTIFIERS, 11, LIST, SHIPOPT_RECORD_TAX_IDENTIFIER, REQUEST, "tax_identifiers", "tax_id") \
	F(SHIPMENT, CARRIER_ACCOUNTS, 12, JSON, 0, REQUEST, "carrier_accounts", "carrier_accounts")                 \
	F(SHIPMENT, SERVICE, 13, TEXT, 0, WISH, "service", NULL)                                                    \
	F(SHIPMENT, ID, 14, TEXT, 0, SERVER, "id", NULL)                                                            \
	F(SHIPMENT, STATUS, 15, TEXT, 0, SERVER, "status", NULL)                                                    \
	F(SHIPMENT, TRACKING_CODE, 16, TEXT, 0, SERVER, "tracking_code", NULL)                                      \
	F(SHIPMENT, REFUND_STATUS, 17, TEXT, 0, SERVER, "refund_status", NULL)                                      \
	F(SHIPMENT, RATES, 18, LIST, SHIPOPT_RECORD_RATE, SERVER, "rates", NULL)                                    \
	F(SHIPMENT, SELECTED_RATE, 19, CHILD, SHIPOPT_RECORD_RATE, SERVER, "selected_rate", NULL)                   \
	F(SHIPMENT, POSTAGE_LABEL, 20, CHILD, SHIPOPT_RECORD_POSTAGE_LABEL, SERVER, "postage_label", NULL)          \
	F(SHIPMENT, TRACKER, 21, CHILD, SHIPOPT_RECORD_TRACKER, SERVER, "tracker", NULL)                            \
	F(SHIPMENT, FEES, 22, LIST, SHIPOPT_RECORD_FEE, SERVER, "fees", NULL)                                       \
	F(SHIPMENT, FORMS, 23, LIST, SHIPOPT_RECORD_FORM, SERVER, "forms", NULL)                                    \
	F(SHIPMENT, MESSAGES, 24, LIST, SHIPOPT_RECORD_MESSAGE, SERVER, "messages", NULL)                           \
	F(SHIPMENT, BATCH_ID, 25, TEXT, 0, SERVER, "batch_id", NULL)                                                \
	F(SHIPMENT, BATCH_STATUS, 26, TEXT, 0, SERVER, "batch_status", NULL)                                        \
	F(SHIPMENT, BATCH_MESSAGE, 27, TEXT, 0, SERVER, "batch_message", NULL)                                      \
	F(SHIPMENT, ORDER_ID, 28, TEXT, 0, SERVER, "order_id", NULL)                                                \
	F(SHIPMENT, SCAN_FORM, 29, JSON, 0, SERVER, "scan_form", NULL)                                              \
	F(SHIPMENT, USPS_ZONE, 30, INTEGER, 0, SERVER, "usps_zone", NULL)                                           \
	F(SHIPMENT, MODE, 31, TEXT, 0, SERVER, "mode", NULL)                                                        \
	F(SHIPMENT, CREATED_AT, 32, TIME, 0, SERVER, "created_at", NULL)                                            \
	F(SHIPMENT, UPDATED_AT, 33, TIME, 0, SERVER, "updated_at", NULL)                                            \
	F(SHIPMENT, CARRIER, 34, TEXT, 0, WISH, "carrier", NULL)

#define RECORD_FIELDS_RATE(F)                                                                       \
	F(RATE, ID, 1, TEXT, 0, IDENTITY, "id", NULL)                                               \
	F(RATE, CARRIER, 2, TEXT, 0, SERVER, "carrier", NULL)                                       \
	F(RATE, SERVICE, 3, TEXT, 0, SERVER, "service", NULL)                                       \
	F(RATE, RATE, 4, MONEY, 0, SERVER, "rate", NULL)                                            \
	F(RATE, CURRENCY, 5, TEXT, 0, SERVER, "currency", NULL)                                     \
	F(RATE, RETAIL_RATE, 6, MONEY, 0, SERVER, "retail_rate", NULL)                              \
	F(RATE, RETAIL_CURRENCY, 7, TEXT, 0, SERVER, "retail_currency", NULL)                       \
	F(RATE, LIST_RATE, 8, MONEY, 0, SERVER, "list_rate", NULL)                                  \
	F(RATE, LIST_CURRENCY, 9, TEXT, 0, SERVER, "list_currency", NULL)                           \
	F(RATE, BILLING_TYPE, 10, TEXT, 0, SERVER, "billing_type", NULL)                            \
	F(RATE, DELIVERY_DAYS, 11, INTEGER, 0, SERVER, "delivery_days", NULL)                       \
	F(RATE, DELIVERY_DATE, 12, TIME, 0, SERVER, "delivery_date", NULL)                          \
	F(RATE, DELIVERY_DATE_GUARANTEED, 13, BOOLEAN, 0, SERVER, "delivery_date_guaranteed", NULL) \
	F(RATE, EST_DELIVERY_DAYS, 14, INTEGER, 0, SERVER, "est_delivery_days", NULL)               \
	F(RATE, SHIPMENT_ID, 15, TEXT, 0, SERVER, "shipment_id", NULL)                              \
	F(RATE, CARRIER_ACCOUNT_ID, 16, TEXT, 0, SERVER, "carrier_account_id", NULL)                \
	F(RATE, TIME_IN_TRANSIT, 17, JSON, 0, SERVER, "time_in_transit", NULL)                      \
	F(RATE, MODE, 18, TEXT, 0, SERVER, "mode", NULL)                                            \
	F(RATE, CREATED_AT, 19, TIME, 0, SERVER, "created_at", NULL)                                \
	F(RATE, UPDATED_AT, 20, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_FEE(F)                                    \
	F(FEE, TYPE, 1, TEXT, 0, SERVER, "type", NULL)          \
	F(FEE, AMOUNT, 2, MONEY, 0, SERVER, "amount", NULL)     \
	F(FEE, CHARGED, 3, BOOLEAN, 0, SERVER, "charged", NULL) \
	F(FEE, REFUNDED, 4, BOOLEAN, 0, SERVER, "refunded", NULL)

#define RECORD_FIELDS_MESSAGE(F)                                                       \
	F(MESSAGE, CARRIER, 1, TEXT, 0, SERVER, "carrier", NULL)                       \
	F(MESSAGE, CARRIER_ACCOUNT_ID, 2, TEXT, 0, SERVER, "carrier_account_id", NULL) \
	F(MESSAGE, TYPE, 3, TEXT, 0, SERVER, "type", NULL)                             \
	F(MESSAGE, MESSAGE, 4, FLAT, 0, SERVER, "message", NULL)

#define RECORD_FIELDS_POSTAGE_LABEL(F)                                                       \
	F(POSTAGE_LABEL, ID, 1, TEXT, 0, IDENTITY, "id", NULL)                               \
	F(POSTAGE_LABEL, LABEL_URL, 2, DOCUMENT, 0, SERVER, "label_url", NULL)               \
	F(POSTAGE_LABEL, LABEL_FILE_TYPE, 3, TEXT, 0, SERVER, "label_file_type", NULL)       \
	F(POSTAGE_LABEL, LABEL_PDF_URL, 4, DOCUMENT, 0, SERVER, "label_pdf_url", NULL)       \
	F(POSTAGE_LABEL, LABEL_ZPL_URL, 5, DOCUMENT, 0, SERVER, "label_zpl_url", NULL)       \
	F(POSTAGE_LABEL, LABEL_EPL2_URL, 6, DOCUMENT, 0, SERVER, "label_epl2_url", NULL)     \
	F(POSTAGE_LABEL, LABEL_FILE, 7, DOCUMENT, 0, SERVER, "label_file", NULL)             \
	F(POSTAGE_LABEL, LABEL_TYPE, 8, TEXT, 0, SERVER, "label_type", NULL)                 \
	F(POSTAGE_LABEL, LABEL_SIZE, 9, TEXT, 0, SERVER, "label_size", NULL)                 \
	F(POSTAGE_LABEL, LABEL_RESOLUTION, 10, INTEGER, 0, SERVER, "label_resolution", NULL) \
	F(POSTAGE_LABEL, LABEL_DATE, 11, TIME, 0, SERVER, "label_date", NULL)                \
	F(POSTAGE_LABEL, DATE_ADVANCE, 12, INTEGER, 0, SERVER, "date_advance", NULL)         \
	F(POSTAGE_LABEL, INTEGRATED_FORM, 13, TEXT, 0, SERVER, "integrated_form", NULL)      \
	F(POSTAGE_LABEL, CREATED_AT, 14, TIME, 0, SERVER, "created_at", NULL)                \
	F(POSTAGE_LABEL, UPDATED_AT, 15, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_TRACKER(F)                                                                                \
	F(TRACKER, ID, 1, TEXT, 0, IDENTITY, "id", NULL)                                                        \
	F(TRACKER, TRACKING_CODE, 2, TEXT, 0, REQUEST, "tracking_code", NULL)                                   \
	F(TRACKER, CARRIER, 3, TEXT, 0, REQUEST, "carrier", NULL)                                               \
	F(TRACKER, STATUS, 4, TEXT, 0, SERVER, "status", NULL)                                                  \
	F(TRACKER, STATUS_DETAIL, 5, TEXT, 0, SERVER, "status_detail", NULL)                                    \
	F(TRACKER, SIGNED_BY, 6, TEXT, 0, SERVER, "signed_by", NULL)                                            \
	F(TRACKER, WEIGHT, 7, DECIMAL, 0, SERVER, "weight", NULL)                                               \
	F(TRACKER, EST_DELIVERY_DATE, 8, TIME, 0, SERVER, "est_delivery_date", NULL)                            \
	F(TRACKER, SHIPMENT_ID, 9, TEXT, 0, SERVER, "shipment_id", NULL)                                        \
	F(TRACKER, PUBLIC_URL, 10, TEXT, 0, SERVER, "public_url", NULL)                                         \
	F(TRACKER, TRACKING_DETAILS, 11, LIST, SHIPOPT_RECORD_TRACKING_EVENT, SERVER, "tracking_details", NULL) \
	F(TRACKER, CARRIER_DETAIL, 12, CHILD, SHIPOPT_RECORD_CARRIER_DETAIL, SERVER, "carrier_detail", NULL)    \
	F(TRACKER, FEES, 13, LIST, SHIPOPT_RECORD_FEE, SERVER, "fees", NULL)                                    \
	F(TRACKER, FINALIZED, 14, BOOLEAN, 0, SERVER, "finalized", NULL)                                        \
	F(TRACKER, IS_RETURN, 15, BOOLEAN, 0, SERVER, "is_return", NULL)                                        \
	F(TRACKER, MODE, 16, TEXT, 0, SERVER, "mode", NULL)                                                     \
	F(TRACKER, CREATED_AT, 17, TIME, 0, SERVER, "created_at", NULL)                                         \
	F(TRACKER, UPDATED_AT, 18, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_TRACKING_EVENT(F)                                                                            \
	F(TRACKING_EVENT, MESSAGE, 1, TEXT, 0, SERVER, "message", NULL)                                            \
	F(TRACKING_EVENT, DESCRIPTION, 2, TEXT, 0, SERVER, "description", NULL)                                    \
	F(TRACKING_EVENT, STATUS, 3, TEXT, 0, SERVER, "status", NULL)                                              \
	F(TRACKING_EVENT, STATUS_DETAIL, 4, TEXT, 0, SERVER, "status_detail", NULL)                                \
	F(TRACKING_EVENT, DATETIME, 5, TIME, 0, SERVER, "datetime", NULL)                                          \
	F(TRACKING_EVENT, SOURCE, 6, TEXT, 0, SERVER, "source", NULL)                                              \
	F(TRACKING_EVENT, CARRIER_CODE, 7, TEXT, 0, SERVER, "carrier_code", NULL)                                  \
	F(TRACKING_EVENT, TRACKING_LOCATION, 8, CHILD, SHIPOPT_RECORD_LOCATION, SERVER, "tracking_location", NULL) \
	F(TRACKING_EVENT, EST_DELIVERY_DATE, 9, TIME, 0, SERVER, "est_delivery_date", NULL)

#define RECORD_FIELDS_LOCATION(F)                                 \
	F(LOCATION, CITY, 1, TEXT, 0, SERVER, "city", NULL)       \
	F(LOCATION, STATE, 2, TEXT, 0, SERVER, "state", NULL)     \
	F(LOCATION, COUNTRY, 3, TEXT, 0, SERVER, "country", NULL) \
	F(LOCATION, ZIP, 4, TEXT, 0, SERVER, "zip", NULL)

#define RECORD_FIELDS_CARRIER_DETAIL(F)                                                                   \
	F(CARRIER_DETAIL, SERVICE, 1, TEXT, 0, SERVER, "service", NULL)                                   \
	F(CARRIER_DETAIL, CONTAINER_TYPE, 2, TEXT, 0, SERVER, "container_type", NULL)                     \
	F(CARRIER_DETAIL, EST_DELIVERY_DATE_LOCAL, 3, TEXT, 0, SERVER, "est_delivery_date_local", NULL)   \
	F(CARRIER_DETAIL, EST_DELIVERY_TIME_LOCAL, 4, TEXT, 0, SERVER, "est_delivery_time_local", NULL)   \
	F(CARRIER_DETAIL, ORIGIN_LOCATION, 5, TEXT, 0, SERVER, "origin_location", NULL)                   \
	F(CARRIER_DETAIL, ORIGIN_TRACKING_LOCATION, 6, CHILD, SHIPOPT_RECORD_LOCATION, SERVER,            \
		"origin_tracking_location", NULL)                                                         \
	F(CARRIER_DETAIL, DESTINATION_LOCATION, 7, TEXT, 0, SERVER, "destination_location", NULL)         \
	F(CARRIER_DETAIL, DESTINATION_TRACKING_LOCATION, 8, CHILD, SHIPOPT_RECORD_LOCATION, SERVER,       \
		"destination_tracking_location", NULL)                                                    \
	F(CARRIER_DETAIL, GUARANTEED_DELIVERY_DATE, 9, TIME, 0, SERVER, "guaranteed_delivery_date", NULL) \
	F(CARRIER_DETAIL, ALTERNATE_IDENTIFIER, 10, TEXT, 0, SERVER, "alternate_identifier", NULL)        \
	F(CARRIER_DETAIL, INITIAL_DELIVERY_ATTEMPT, 11, TIME, 0, SERVER, "initial_delivery_attempt", NULL)

#define RECORD_FIELDS_TAX_IDENTIFIER(F)                                            \
	F(TAX_IDENTIFIER, ENTITY, 1, TEXT, 0, REQUEST, "entity", "entity")         \
	F(TAX_IDENTIFIER, TAX_ID, 2, TEXT, 0, REQUEST, "tax_id", "number")         \
	F(TAX_IDENTIFIER, TAX_ID_TYPE, 3, TEXT, 0, REQUEST, "tax_id_type", "type") \
	F(TAX_IDENTIFIER, ISSUING_COUNTRY, 4, COUNTRY, 0, REQUEST, "issuing_country", "country")

#define RECORD_FIELDS_FORM(F)                                                                      \
	F(FORM, ID, 1, TEXT, 0, IDENTITY, "id", NULL)                                              \
	F(FORM, FORM_TYPE, 2, TEXT, 0, SERVER, "form_type", NULL)                                  \
	F(FORM, FORM_URL, 3, DOCUMENT, 0, SERVER, "form_url", NULL)                                \
	F(FORM, SUBMITTED_ELECTRONICALLY, 4, BOOLEAN, 0, SERVER, "submitted_electronically", NULL) \
	F(FORM, MODE, 5, TEXT, 0, SERVER, "mode", NULL)                                            \
	F(FORM, CREATED_AT, 6, TIME, 0, SERVER, "created_at", NULL)                                \
	F(FORM, UPDATED_AT, 7, TIME, 0, SERVER, "updated_at", NULL)

#define RECORD_FIELDS_REFUND(F)                                                         \
	F(REFUND, ID, 1, TEXT, 0, IDENTITY, "id", NULL)                                 \
	F(REFUND, TRACKING_CODE, 2, TEXT, 0, SERVER, "tracking_code", NULL)             \
	F(REFUND, CONFIRMATION_NUMBER, 3, TEXT, 0, SERVER, "confirmation_number", NULL) \
	F(REFUND, STATUS, 4, TEXT, 0, SERVER, "status", NULL)                           \
	F(REFUND, CARRIER, 5, TEXT, 0, SERVER, "carrier", NULL)                         \
	F(REFUND, SHIPMENT_ID, 6, TEXT, 0, SERVER, "shipment_id", NULL)                 \
	F(REFUND, CREATED_AT, 7, TIME, 0, SERVER, "created_at", NULL)                   \
	F(REFUND, UPDATED_AT, 8, TIME, 0, SERVER, "updated_at", NULL)

/* The most fields a kind has; checked in field.c. */
#define RECORD_FIELDS_MAX 40

#endif
