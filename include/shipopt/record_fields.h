/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RECORD_FIELDS_H
#define SHIPOPT_RECORD_FIELDS_H

/*
 * Kinds of records and their fields. A field's number is SHIPOPT_<KIND>_<JSON key in capitals>; numbers are explicit,
 * never reused and only ever added. Types are asked with shipopt_field_type(). Lengths are in inches, weights in
 * ounces. All since 0.1.
 */
enum {
	SHIPOPT_RECORD_ADDRESS = 1,
	SHIPOPT_RECORD_PARCEL = 2,
	SHIPOPT_RECORD_CUSTOMS_INFO = 3,
	SHIPOPT_RECORD_CUSTOMS_ITEM = 4,
	SHIPOPT_RECORD_SHIPMENT = 5,
	SHIPOPT_RECORD_RATE = 6,
	SHIPOPT_RECORD_FEE = 7,
	SHIPOPT_RECORD_MESSAGE = 8,
	SHIPOPT_RECORD_POSTAGE_LABEL = 9,
	SHIPOPT_RECORD_TRACKER = 10,
	SHIPOPT_RECORD_TRACKING_EVENT = 11,
	SHIPOPT_RECORD_LOCATION = 12,
	SHIPOPT_RECORD_CARRIER_DETAIL = 13,
	SHIPOPT_RECORD_TAX_IDENTIFIER = 14,
	SHIPOPT_RECORD_FORM = 15,
	SHIPOPT_RECORD_REFUND = 16
};

enum {
	SHIPOPT_ADDRESS_NAME = 1,              /* text */
	SHIPOPT_ADDRESS_COMPANY = 2,           /* text */
	SHIPOPT_ADDRESS_STREET1 = 3,           /* text */
	SHIPOPT_ADDRESS_STREET2 = 4,           /* text */
	SHIPOPT_ADDRESS_CITY = 5,              /* text */
	SHIPOPT_ADDRESS_STATE = 6,             /* text */
	SHIPOPT_ADDRESS_ZIP = 7,               /* text */
	SHIPOPT_ADDRESS_COUNTRY = 8,           /* text */
	SHIPOPT_ADDRESS_PHONE = 9,             /* text */
	SHIPOPT_ADDRESS_EMAIL = 10,            /* text */
	SHIPOPT_ADDRESS_RESIDENTIAL = 11,      /* boolean */
	SHIPOPT_ADDRESS_CARRIER_FACILITY = 12, /* text */
	SHIPOPT_ADDRESS_FEDERAL_TAX_ID = 13,   /* text */
	SHIPOPT_ADDRESS_STATE_TAX_ID = 14,     /* text */
	SHIPOPT_ADDRESS_ID = 15,               /* text */
	SHIPOPT_ADDRESS_MODE = 16,             /* text */
	SHIPOPT_ADDRESS_CREATED_AT = 17,       /* time */
	SHIPOPT_ADDRESS_UPDATED_AT = 18,       /* time */
	SHIPOPT_ADDRESS_VERIFICATIONS = 19     /* JSON */
};

enum {
	SHIPOPT_PARCEL_LENGTH = 1,             /* decimal */
	SHIPOPT_PARCEL_WIDTH = 2,              /* decimal */
	SHIPOPT_PARCEL_HEIGHT = 3,             /* decimal */
	SHIPOPT_PARCEL_PREDEFINED_PACKAGE = 4, /* text */
	SHIPOPT_PARCEL_WEIGHT = 5,             /* decimal */
	SHIPOPT_PARCEL_ID = 6,                 /* text */
	SHIPOPT_PARCEL_MODE = 7,               /* text */
	SHIPOPT_PARCEL_CREATED_AT = 8,         /* time */
	SHIPOPT_PARCEL_UPDATED_AT = 9          /* time */
};

enum {
	SHIPOPT_CUSTOMS_INFO_CONTENTS_TYPE = 1,        /* text */
	SHIPOPT_CUSTOMS_INFO_CONTENTS_EXPLANATION = 2, /* text */
	SHIPOPT_CUSTOMS_INFO_CUSTOMS_CERTIFY = 3,      /* boolean */
	SHIPOPT_CUSTOMS_INFO_CUSTOMS_SIGNER = 4,       /* text */
	SHIPOPT_CUSTOMS_INFO_EEL_PFC = 5,              /* text */
	SHIPOPT_CUSTOMS_INFO_NON_DELIVERY_OPTION = 6,  /* text */
	SHIPOPT_CUSTOMS_INFO_RESTRICTION_TYPE = 7,     /* text */
	SHIPOPT_CUSTOMS_INFO_RESTRICTION_COMMENTS = 8, /* text */
	SHIPOPT_CUSTOMS_INFO_DECLARATION = 9,          /* text */
	SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS = 10,       /* list of customs_item */
	SHIPOPT_CUSTOMS_INFO_ID = 11,                  /* text */
	SHIPOPT_CUSTOMS_INFO_MODE = 12,                /* text */
	SHIPOPT_CUSTOMS_INFO_CREATED_AT = 13,          /* time */
	SHIPOPT_CUSTOMS_INFO_UPDATED_AT = 14           /* time */
};

enum {
	SHIPOPT_CUSTOMS_ITEM_DESCRIPTION = 1,                   /* text */
	SHIPOPT_CUSTOMS_ITEM_QUANTITY = 2,                      /* integer */
	SHIPOPT_CUSTOMS_ITEM_VALUE = 3,                         /* money */
	SHIPOPT_CUSTOMS_ITEM_WEIGHT = 4,                        /* decimal */
	SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER = 5,              /* text */
	SHIPOPT_CUSTOMS_ITEM_ORIGIN_COUNTRY = 6,                /* text */
	SHIPOPT_CUSTOMS_ITEM_CURRENCY = 7,                      /* text */
	SHIPOPT_CUSTOMS_ITEM_CODE = 8,                          /* text */
	SHIPOPT_CUSTOMS_ITEM_MANUFACTURER = 9,                  /* text */
	SHIPOPT_CUSTOMS_ITEM_ECCN = 10,                         /* text */
	SHIPOPT_CUSTOMS_ITEM_PRINTED_COMMODITY_IDENTIFIER = 11, /* text */
	SHIPOPT_CUSTOMS_ITEM_ID = 12,                           /* text */
	SHIPOPT_CUSTOMS_ITEM_MODE = 13,                         /* text */
	SHIPOPT_CUSTOMS_ITEM_CREATED_AT = 14,                   /* time */
	SHIPOPT_CUSTOMS_ITEM_UPDATED_AT = 15                    /* time */
};

enum {
	SHIPOPT_SHIPMENT_REFERENCE = 1,         /* text */
	SHIPOPT_SHIPMENT_TO_ADDRESS = 2,        /* one address */
	SHIPOPT_SHIPMENT_FROM_ADDRESS = 3,      /* one address */
	SHIPOPT_SHIPMENT_RETURN_ADDRESS = 4,    /* one address */
	SHIPOPT_SHIPMENT_BUYER_ADDRESS = 5,     /* one address */
	SHIPOPT_SHIPMENT_PARCEL = 6,            /* one parcel */
	SHIPOPT_SHIPMENT_CUSTOMS_INFO = 7,      /* one customs_info */
	SHIPOPT_SHIPMENT_OPTIONS = 8,           /* JSON */
	SHIPOPT_SHIPMENT_IS_RETURN = 9,         /* boolean */
	SHIPOPT_SHIPMENT_INSURANCE = 10,        /* money */
	SHIPOPT_SHIPMENT_TAX_IDENTIFIERS = 11,  /* list of tax_identifier */
	SHIPOPT_SHIPMENT_CARRIER_ACCOUNTS = 12, /* JSON */
	SHIPOPT_SHIPMENT_SERVICE = 13,          /* text */
	SHIPOPT_SHIPMENT_ID = 14,               /* text */
	SHIPOPT_SHIPMENT_STATUS = 15,           /* text */
	SHIPOPT_SHIPMENT_TRACKING_CODE = 16,    /* text */
	SHIPOPT_SHIPMENT_REFUND_STATUS = 17,    /* text */
	SHIPOPT_SHIPMENT_RATES = 18,            /* list of rate */
	SHIPOPT_SHIPMENT_SELECTED_RATE = 19,    /* one rate */
	SHIPOPT_SHIPMENT_POSTAGE_LABEL = 20,    /* one postage_label */
	SHIPOPT_SHIPMENT_TRACKER = 21,          /* one tracker */
	SHIPOPT_SHIPMENT_FEES = 22,             /* list of fee */
	SHIPOPT_SHIPMENT_FORMS = 23,            /* list of form */
	SHIPOPT_SHIPMENT_MESSAGES = 24,         /* list of message */
	SHIPOPT_SHIPMENT_BATCH_ID = 25,         /* text */
	SHIPOPT_SHIPMENT_BATCH_STATUS = 26,     /* text */
	SHIPOPT_SHIPMENT_BATCH_MESSAGE = 27,    /* text */
	SHIPOPT_SHIPMENT_ORDER_ID = 28,         /* text */
	SHIPOPT_SHIPMENT_SCAN_FORM = 29,        /* JSON */
	SHIPOPT_SHIPMENT_USPS_ZONE = 30,        /* integer */
	SHIPOPT_SHIPMENT_MODE = 31,             /* text */
	SHIPOPT_SHIPMENT_CREATED_AT = 32,       /* time */
	SHIPOPT_SHIPMENT_UPDATED_AT = 33,       /* time */
	SHIPOPT_SHIPMENT_CARRIER = 34           /* text */
};

enum {
	SHIPOPT_RATE_ID = 1,                        /* text */
	SHIPOPT_RATE_CARRIER = 2,                   /* text */
	SHIPOPT_RATE_SERVICE = 3,                   /* text */
	SHIPOPT_RATE_RATE = 4,                      /* money */
	SHIPOPT_RATE_CURRENCY = 5,                  /* text */
	SHIPOPT_RATE_RETAIL_RATE = 6,               /* money */
	SHIPOPT_RATE_RETAIL_CURRENCY = 7,           /* text */
	SHIPOPT_RATE_LIST_RATE = 8,                 /* money */
	SHIPOPT_RATE_LIST_CURRENCY = 9,             /* text */
	SHIPOPT_RATE_BILLING_TYPE = 10,             /* text */
	SHIPOPT_RATE_DELIVERY_DAYS = 11,            /* integer */
	SHIPOPT_RATE_DELIVERY_DATE = 12,            /* time */
	SHIPOPT_RATE_DELIVERY_DATE_GUARANTEED = 13, /* boolean */
	SHIPOPT_RATE_EST_DELIVERY_DAYS = 14,        /* integer */
	SHIPOPT_RATE_SHIPMENT_ID = 15,              /* text */
	SHIPOPT_RATE_CARRIER_ACCOUNT_ID = 16,       /* text */
	SHIPOPT_RATE_TIME_IN_TRANSIT = 17,          /* JSON */
	SHIPOPT_RATE_MODE = 18,                     /* text */
	SHIPOPT_RATE_CREATED_AT = 19,               /* time */
	SHIPOPT_RATE_UPDATED_AT = 20                /* time */
};

enum {
	SHIPOPT_FEE_TYPE = 1,    /* text */
	SHIPOPT_FEE_AMOUNT = 2,  /* money */
	SHIPOPT_FEE_CHARGED = 3, /* boolean */
	SHIPOPT_FEE_REFUNDED = 4 /* boolean */
};

enum {
	SHIPOPT_MESSAGE_CARRIER = 1,            /* text */
	SHIPOPT_MESSAGE_CARRIER_ACCOUNT_ID = 2, /* text */
	SHIPOPT_MESSAGE_TYPE = 3,               /* text */
	SHIPOPT_MESSAGE_MESSAGE = 4             /* text */
};

enum {
	SHIPOPT_POSTAGE_LABEL_ID = 1,                /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_URL = 2,         /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_FILE_TYPE = 3,   /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_PDF_URL = 4,     /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_ZPL_URL = 5,     /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_EPL2_URL = 6,    /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_FILE = 7,        /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_TYPE = 8,        /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_SIZE = 9,        /* text */
	SHIPOPT_POSTAGE_LABEL_LABEL_RESOLUTION = 10, /* integer */
	SHIPOPT_POSTAGE_LABEL_LABEL_DATE = 11,       /* time */
	SHIPOPT_POSTAGE_LABEL_DATE_ADVANCE = 12,     /* integer */
	SHIPOPT_POSTAGE_LABEL_INTEGRATED_FORM = 13,  /* text */
	SHIPOPT_POSTAGE_LABEL_CREATED_AT = 14,       /* time */
	SHIPOPT_POSTAGE_LABEL_UPDATED_AT = 15        /* time */
};

enum {
	SHIPOPT_TRACKER_ID = 1,                /* text */
	SHIPOPT_TRACKER_TRACKING_CODE = 2,     /* text */
	SHIPOPT_TRACKER_CARRIER = 3,           /* text */
	SHIPOPT_TRACKER_STATUS = 4,            /* text */
	SHIPOPT_TRACKER_STATUS_DETAIL = 5,     /* text */
	SHIPOPT_TRACKER_SIGNED_BY = 6,         /* text */
	SHIPOPT_TRACKER_WEIGHT = 7,            /* decimal */
	SHIPOPT_TRACKER_EST_DELIVERY_DATE = 8, /* time */
	SHIPOPT_TRACKER_SHIPMENT_ID = 9,       /* text */
	SHIPOPT_TRACKER_PUBLIC_URL = 10,       /* text */
	SHIPOPT_TRACKER_TRACKING_DETAILS = 11, /* list of tracking_event */
	SHIPOPT_TRACKER_CARRIER_DETAIL = 12,   /* one carrier_detail */
	SHIPOPT_TRACKER_FEES = 13,             /* list of fee */
	SHIPOPT_TRACKER_FINALIZED = 14,        /* boolean */
	SHIPOPT_TRACKER_IS_RETURN = 15,        /* boolean */
	SHIPOPT_TRACKER_MODE = 16,             /* text */
	SHIPOPT_TRACKER_CREATED_AT = 17,       /* time */
	SHIPOPT_TRACKER_UPDATED_AT = 18        /* time */
};

enum {
	SHIPOPT_TRACKING_EVENT_MESSAGE = 1,           /* text */
	SHIPOPT_TRACKING_EVENT_DESCRIPTION = 2,       /* text */
	SHIPOPT_TRACKING_EVENT_STATUS = 3,            /* text */
	SHIPOPT_TRACKING_EVENT_STATUS_DETAIL = 4,     /* text */
	SHIPOPT_TRACKING_EVENT_DATETIME = 5,          /* time */
	SHIPOPT_TRACKING_EVENT_SOURCE = 6,            /* text */
	SHIPOPT_TRACKING_EVENT_CARRIER_CODE = 7,      /* text */
	SHIPOPT_TRACKING_EVENT_TRACKING_LOCATION = 8, /* one location */
	SHIPOPT_TRACKING_EVENT_EST_DELIVERY_DATE = 9  /* time */
};

enum {
	SHIPOPT_LOCATION_CITY = 1,    /* text */
	SHIPOPT_LOCATION_STATE = 2,   /* text */
	SHIPOPT_LOCATION_COUNTRY = 3, /* text */
	SHIPOPT_LOCATION_ZIP = 4      /* text */
};

enum {
	SHIPOPT_CARRIER_DETAIL_SERVICE = 1,                       /* text */
	SHIPOPT_CARRIER_DETAIL_CONTAINER_TYPE = 2,                /* text */
	SHIPOPT_CARRIER_DETAIL_EST_DELIVERY_DATE_LOCAL = 3,       /* text */
	SHIPOPT_CARRIER_DETAIL_EST_DELIVERY_TIME_LOCAL = 4,       /* text */
	SHIPOPT_CARRIER_DETAIL_ORIGIN_LOCATION = 5,               /* text */
	SHIPOPT_CARRIER_DETAIL_ORIGIN_TRACKING_LOCATION = 6,      /* one location */
	SHIPOPT_CARRIER_DETAIL_DESTINATION_LOCATION = 7,          /* text */
	SHIPOPT_CARRIER_DETAIL_DESTINATION_TRACKING_LOCATION = 8, /* one location */
	SHIPOPT_CARRIER_DETAIL_GUARANTEED_DELIVERY_DATE = 9,      /* time */
	SHIPOPT_CARRIER_DETAIL_ALTERNATE_IDENTIFIER = 10,         /* text */
	SHIPOPT_CARRIER_DETAIL_INITIAL_DELIVERY_ATTEMPT = 11      /* time */
};

enum {
	SHIPOPT_TAX_IDENTIFIER_ENTITY = 1,         /* text */
	SHIPOPT_TAX_IDENTIFIER_TAX_ID = 2,         /* text */
	SHIPOPT_TAX_IDENTIFIER_TAX_ID_TYPE = 3,    /* text */
	SHIPOPT_TAX_IDENTIFIER_ISSUING_COUNTRY = 4 /* text */
};

enum {
	SHIPOPT_FORM_ID = 1,                       /* text */
	SHIPOPT_FORM_FORM_TYPE = 2,                /* text */
	SHIPOPT_FORM_FORM_URL = 3,                 /* text */
	SHIPOPT_FORM_SUBMITTED_ELECTRONICALLY = 4, /* boolean */
	SHIPOPT_FORM_MODE = 5,                     /* text */
	SHIPOPT_FORM_CREATED_AT = 6,               /* time */
	SHIPOPT_FORM_UPDATED_AT = 7                /* time */
};

enum {
	SHIPOPT_REFUND_ID = 1,                  /* text */
	SHIPOPT_REFUND_TRACKING_CODE = 2,       /* text */
	SHIPOPT_REFUND_CONFIRMATION_NUMBER = 3, /* text */
	SHIPOPT_REFUND_STATUS = 4,              /* text */
	SHIPOPT_REFUND_CARRIER = 5,             /* text */
	SHIPOPT_REFUND_SHIPMENT_ID = 6,         /* text */
	SHIPOPT_REFUND_CREATED_AT = 7,          /* time */
	SHIPOPT_REFUND_UPDATED_AT = 8           /* time */
};

#endif
