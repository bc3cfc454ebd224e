/* SPDX-License-Identifier: MIT */
#include "record/country.h"

#include <string.h>

#include "base/macro.h"
#include "base/text.h"

#define NAME_SIZE_MAX 64

struct country {
	char code[3], code3[4];
	const char *name;
};

/* ISO 3166-1, and XK, which carriers use for Kosovo. Sorted by code. */
static const struct country countries[] = {
	{"AD", "AND", "Andorra"}, {"AE", "ARE", "United Arab Emirates"}, {"AF", "AFG", "Afghanistan"},
	{"AG", "ATG", "Antigua and Barbuda"}, {"AI", "AIA", "Anguilla"}, {"AL", "ALB", "Albania"},
	{"AM", "ARM", "Armenia"}, {"AO", "AGO", "Angola"}, {"AQ", "ATA", "Antarctica"},
	{"AR", "ARG", "Argentina"}, {"AS", "ASM", "American Samoa"}, {"AT", "AUT", "Austria"},
	{"AU", "AUS", "Australia"}, {"AW", "ABW", "Aruba"}, {"AX", "ALA", "Aland Islands"},
	{"AZ", "AZE", "Azerbaijan"}, {"BA", "BIH", "Bosnia and Herzegovina"}, {"BB", "BRB", "Barbados"},
	{"BD", "BGD", "Bangladesh"}, {"BE", "BEL", "Belgium"}, {"BF", "BFA", "Burkina Faso"},
	{"BG", "BGR", "Bulgaria"}, {"BH", "BHR", "Bahrain"}, {"BI", "BDI", "Burundi"}, {"BJ", "BEN", "Benin"},
	{"BL", "BLM", "Saint Barthelemy"}, {"BM", "BMU", "Bermuda"}, {"BN", "BRN", "Brunei"},
	{"BO", "BOL", "Bolivia"}, {"BQ", "BES", "Bonaire, Sint Eustatius and Saba"}, {"BR", "BRA", "Brazil"},
	{"BS", "BHS", "Bahamas"}, {"BT", "BTN", "Bhutan"}, {"BV", "BVT", "Bouvet Island"},
	{"BW", "BWA", "Botswana"}, {"BY", "BLR", "Belarus"}, {"BZ", "BLZ", "Belize"}, {"CA", "CAN", "Canada"},
	{"CC", "CCK", "Cocos Islands"}, {"CD", "COD", "Democratic Republic of the Congo"},
	{"CF", "CAF", "Central African Republic"}, {"CG", "COG", "Congo"}, {"CH", "CHE", "Switzerland"},
	{"CI", "CIV", "Cote d'Ivoire"}, {"CK", "COK", "Cook Islands"}, {"CL", "CHL", "Chile"},
	{"CM", "CMR", "Cameroon"}, {"CN", "CHN", "China"}, {"CO", "COL", "Colombia"}, {"CR", "CRI", "Costa Rica"},
	{"CU", "CUB", "Cuba"}, {"CV", "CPV", "Cabo Verde"}, {"CW", "CUW", "Curacao"},
	{"CX", "CXR", "Christmas Island"}, {"CY", "CYP", "Cyprus"}, {"CZ", "CZE", "Czechia"},
	{"DE", "DEU", "Germany"}, {"DJ", "DJI", "Djibouti"}, {"DK", "DNK", "Denmark"}, {"DM", "DMA", "Dominica"},
	{"DO", "DOM", "Dominican Republic"}, {"DZ", "DZA", "Algeria"}, {"EC", "ECU", "Ecuador"},
	{"EE", "EST", "Estonia"}, {"EG", "EGY", "Egypt"}, {"EH", "ESH", "Western Sahara"},
	{"ER", "ERI", "Eritrea"}, {"ES", "ESP", "Spain"}, {"ET", "ETH", "Ethiopia"}, {"FI", "FIN", "Finland"},
	{"FJ", "FJI", "Fiji"}, {"FK", "FLK", "Falkland Islands"}, {"FM", "FSM", "Micronesia"},
	{"FO", "FRO", "Faroe Islands"}, {"FR", "FRA", "France"}, {"GA", "GAB", "Gabon"},
	{"GB", "GBR", "United Kingdom"}, {"GD", "GRD", "Grenada"}, {"GE", "GEO", "Georgia"},
	{"GF", "GUF", "French Guiana"}, {"GG", "GGY", "Guernsey"}, {"GH", "GHA", "Ghana"},
	{"GI", "GIB", "Gibraltar"}, {"GL", "GRL", "Greenland"}, {"GM", "GMB", "Gambia"}, {"GN", "GIN", "Guinea"},
	{"GP", "GLP", "Guadeloupe"}, {"GQ", "GNQ", "Equatorial Guinea"}, {"GR", "GRC", "Greece"},
	{"GS", "SGS", "South Georgia and the South Sandwich Islands"}, {"GT", "GTM", "Guatemala"},
	{"GU", "GUM", "Guam"}, {"GW", "GNB", "Guinea-Bissau"}, {"GY", "GUY", "Guyana"},
	{"HK", "HKG", "Hong Kong"}, {"HM", "HMD", "Heard Island and McDonald Islands"}, {"HN", "HND", "Honduras"},
	{"HR", "HRV", "Croatia"}, {"HT", "HTI", "Haiti"}, {"HU", "HUN", "Hungary"}, {"ID", "IDN", "Indonesia"},
	{"IE", "IRL", "Ireland"}, {"IL", "ISR", "Israel"}, {"IM", "IMN", "Isle of Man"}, {"IN", "IND", "India"},
	{"IO", "IOT", "British Indian Ocean Territory"}, {"IQ", "IRQ", "Iraq"}, {"IR", "IRN", "Iran"},
	{"IS", "ISL", "Iceland"}, {"IT", "ITA", "Italy"}, {"JE", "JEY", "Jersey"}, {"JM", "JAM", "Jamaica"},
	{"JO", "JOR", "Jordan"}, {"JP", "JPN", "Japan"}, {"KE", "KEN", "Kenya"}, {"KG", "KGZ", "Kyrgyzstan"},
	{"KH", "KHM", "Cambodia"}, {"KI", "KIR", "Kiribati"}, {"KM", "COM", "Comoros"},
	{"KN", "KNA", "Saint Kitts and Nevis"}, {"KP", "PRK", "North Korea"}, {"KR", "KOR", "South Korea"},
	{"KW", "KWT", "Kuwait"}, {"KY", "CYM", "Cayman Islands"}, {"KZ", "KAZ", "Kazakhstan"},
	{"LA", "LAO", "Laos"}, {"LB", "LBN", "Lebanon"}, {"LC", "LCA", "Saint Lucia"},
	{"LI", "LIE", "Liechtenstein"}, {"LK", "LKA", "Sri Lanka"}, {"LR", "LBR", "Liberia"},
	{"LS", "LSO", "Lesotho"}, {"LT", "LTU", "Lithuania"}, {"LU", "LUX", "Luxembourg"},
	{"LV", "LVA", "Latvia"}, {"LY", "LBY", "Libya"}, {"MA", "MAR", "Morocco"}, {"MC", "MCO", "Monaco"},
	{"MD", "MDA", "Moldova"}, {"ME", "MNE", "Montenegro"}, {"MF", "MAF", "Saint Martin"},
	{"MG", "MDG", "Madagascar"}, {"MH", "MHL", "Marshall Islands"}, {"MK", "MKD", "North Macedonia"},
	{"ML", "MLI", "Mali"}, {"MM", "MMR", "Myanmar"}, {"MN", "MNG", "Mongolia"}, {"MO", "MAC", "Macao"},
	{"MP", "MNP", "Northern Mariana Islands"}, {"MQ", "MTQ", "Martinique"}, {"MR", "MRT", "Mauritania"},
	{"MS", "MSR", "Montserrat"}, {"MT", "MLT", "Malta"}, {"MU", "MUS", "Mauritius"},
	{"MV", "MDV", "Maldives"}, {"MW", "MWI", "Malawi"}, {"MX", "MEX", "Mexico"}, {"MY", "MYS", "Malaysia"},
	{"MZ", "MOZ", "Mozambique"}, {"NA", "NAM", "Namibia"}, {"NC", "NCL", "New Caledonia"},
	{"NE", "NER", "Niger"}, {"NF", "NFK", "Norfolk Island"}, {"NG", "NGA", "Nigeria"},
	{"NI", "NIC", "Nicaragua"}, {"NL", "NLD", "Netherlands"}, {"NO", "NOR", "Norway"}, {"NP", "NPL", "Nepal"},
	{"NR", "NRU", "Nauru"}, {"NU", "NIU", "Niue"}, {"NZ", "NZL", "New Zealand"}, {"OM", "OMN", "Oman"},
	{"PA", "PAN", "Panama"}, {"PE", "PER", "Peru"}, {"PF", "PYF", "French Polynesia"},
	{"PG", "PNG", "Papua New Guinea"}, {"PH", "PHL", "Philippines"}, {"PK", "PAK", "Pakistan"},
	{"PL", "POL", "Poland"}, {"PM", "SPM", "Saint Pierre and Miquelon"}, {"PN", "PCN", "Pitcairn"},
	{"PR", "PRI", "Puerto Rico"}, {"PS", "PSE", "Palestine"}, {"PT", "PRT", "Portugal"},
	{"PW", "PLW", "Palau"}, {"PY", "PRY", "Paraguay"}, {"QA", "QAT", "Qatar"}, {"RE", "REU", "Reunion"},
	{"RO", "ROU", "Romania"}, {"RS", "SRB", "Serbia"}, {"RU", "RUS", "Russia"}, {"RW", "RWA", "Rwanda"},
	{"SA", "SAU", "Saudi Arabia"}, {"SB", "SLB", "Solomon Islands"}, {"SC", "SYC", "Seychelles"},
	{"SD", "SDN", "Sudan"}, {"SE", "SWE", "Sweden"}, {"SG", "SGP", "Singapore"},
	{"SH", "SHN", "Saint Helena, Ascension and Tristan da Cunha"}, {"SI", "SVN", "Slovenia"},
	{"SJ", "SJM", "Svalbard and Jan Mayen"}, {"SK", "SVK", "Slovakia"}, {"SL", "SLE", "Sierra Leone"},
	{"SM", "SMR", "San Marino"}, {"SN", "SEN", "Senegal"}, {"SO", "SOM", "Somalia"},
	{"SR", "SUR", "Suriname"}, {"SS", "SSD", "South Sudan"}, {"ST", "STP", "Sao Tome and Principe"},
	{"SV", "SLV", "El Salvador"}, {"SX", "SXM", "Sint Maarten"}, {"SY", "SYR", "Syria"},
	{"SZ", "SWZ", "Eswatini"}, {"TC", "TCA", "Turks and Caicos Islands"}, {"TD", "TCD", "Chad"},
	{"TF", "ATF", "French Southern Territories"}, {"TG", "TGO", "Togo"}, {"TH", "THA", "Thailand"},
	{"TJ", "TJK", "Tajikistan"}, {"TK", "TKL", "Tokelau"}, {"TL", "TLS", "Timor-Leste"},
	{"TM", "TKM", "Turkmenistan"}, {"TN", "TUN", "Tunisia"}, {"TO", "TON", "Tonga"}, {"TR", "TUR", "Turkey"},
	{"TT", "TTO", "Trinidad and Tobago"}, {"TV", "TUV", "Tuvalu"}, {"TW", "TWN", "Taiwan"},
	{"TZ", "TZA", "Tanzania"}, {"UA", "UKR", "Ukraine"}, {"UG", "UGA", "Uganda"},
	{"UM", "UMI", "United States Minor Outlying Islands"}, {"US", "USA", "United States"},
	{"UY", "URY", "Uruguay"}, {"UZ", "UZB", "Uzbekistan"}, {"VA", "VAT", "Vatican City"},
	{"VC", "VCT", "Saint Vincent and the Grenadines"}, {"VE", "VEN", "Venezuela"},
	{"VG", "VGB", "British Virgin Islands"}, {"VI", "VIR", "U.S. Virgin Islands"}, {"VN", "VNM", "Vietnam"},
	{"VU", "VUT", "Vanuatu"}, {"WF", "WLF", "Wallis and Futuna"}, {"WS", "WSM", "Samoa"},
	{"XK", "XKX", "Kosovo"}, {"YE", "YEM", "Yemen"}, {"YT", "MYT", "Mayotte"}, {"ZA", "ZAF", "South Africa"},
	{"ZM", "ZMB", "Zambia"}, {"ZW", "ZWE", "Zimbabwe"},
};

/* Other names that order files use. */
static const struct {
	char code[3];
	const char *name;
} aliases[] = {
	{"AX", "Åland Islands"}, {"AT", "Österreich"}, {"BE", "Belgique"}, {"BE", "België"},
	{"BN", "Brunei Darussalam"}, {"BL", "Saint Barthélemy"}, {"BO", "Bolivia, Plurinational State of"},
	{"BQ", "Caribbean Netherlands"}, {"BR", "Brasil"}, {"BS", "The Bahamas"}, {"CC", "Keeling Islands"},
	{"CD", "DR Congo"}, {"CD", "Congo, Democratic Republic of the"}, {"CG", "Republic of the Congo"},
	{"CH", "Schweiz"}, {"CH", "Suisse"}, {"CI", "Côte d'Ivoire"}, {"CI", "Ivory Coast"},
	{"CN", "People's Republic of China"}, {"CV", "Cape Verde"}, {"CW", "Curaçao"}, {"CZ", "Czech Republic"},
	{"DE", "Deutschland"}, {"DK", "Danmark"}, {"ES", "España"}, {"FK", "Falkland Islands (Malvinas)"},
	{"FM", "Micronesia, Federated States of"}, {"FI", "Suomi"}, {"GB", "UK"}, {"GB", "U.K."},
	{"GB", "Great Britain"}, {"GB", "Britain"}, {"GB", "England"}, {"GB", "Scotland"}, {"GB", "Wales"},
	{"GB", "Northern Ireland"}, {"GB", "United Kingdom of Great Britain and Northern Ireland"},
	{"GM", "The Gambia"}, {"HK", "Hong Kong SAR"}, {"IE", "Republic of Ireland"},
	{"IR", "Iran, Islamic Republic of"}, {"IT", "Italia"}, {"KP", "Korea, Democratic People's Republic of"},
	{"KR", "Korea"}, {"KR", "Republic of Korea"}, {"KR", "Korea, Republic of"},
	{"LA", "Lao People's Democratic Republic"}, {"MD", "Moldova, Republic of"}, {"MD", "Republic of Moldova"},
	{"MK", "Macedonia"}, {"MM", "Burma"}, {"MO", "Macau"}, {"MX", "México"}, {"NL", "Holland"},
	{"NL", "The Netherlands"}, {"NL", "Nederland"}, {"NO", "Norge"}, {"PL", "Polska"},
	{"PS", "State of Palestine"}, {"PS", "Palestine, State of"}, {"RE", "Réunion"},
	{"RU", "Russian Federation"}, {"SE", "Sverige"}, {"SK", "Slovak Republic"},
	{"ST", "São Tomé and Príncipe"}, {"SY", "Syrian Arab Republic"}, {"SZ", "Swaziland"},
	{"TL", "East Timor"}, {"TR", "Türkiye"}, {"TR", "Turkiye"}, {"TW", "Taiwan, Province of China"},
	{"TZ", "Tanzania, United Republic of"}, {"AE", "UAE"}, {"AE", "U.A.E."}, {"US", "U.S."}, {"US", "U.S.A."},
	{"US", "America"}, {"US", "United States of America"}, {"US", "The United States"}, {"VA", "Holy See"},
	{"VA", "Vatican"}, {"VE", "Venezuela, Bolivarian Republic of"}, {"VI", "US Virgin Islands"},
	{"VI", "Virgin Islands, U.S."}, {"VG", "Virgin Islands, British"}, {"VN", "Viet Nam"},
};

static const struct country *find_code(const char *code)
{
	size_t low = 0, high = ARRAY_SIZE(countries);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(code, countries[middle].code);
		if (order == 0)
			return &countries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static const char *find_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(countries); i++)
		if (text_equal_ignore_case(countries[i].code3, name) || text_equal_ignore_case(countries[i].name, name))
			return countries[i].code;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (text_equal_ignore_case(aliases[i].name, name))
			return aliases[i].code;
	return NULL;
}

const char *country_find(const char *text)
{
	char name[NAME_SIZE_MAX];
	size_t length = strlen(text);
	text_trim(&text, &length);
	if (length >= sizeof(name))
		return NULL;
	memcpy(name, text, length);
	name[length] = '\0';
	if (length != 2)
		return find_name(name);
	char code[3] = {upper(name[0]), upper(name[1])};
	const struct country *country = find_code(code);
	return country ? country->code : find_name(name);
}
