/* SPDX-License-Identifier: MIT */
#include <cstddef>
#include <cstdio>
#include <cstring>

#include <shipopt/shipopt.h>

/* A C++ program that uses the umbrella header and the shared library, and nothing else of ours. */

static_assert(sizeof(shipopt_event) == 48, "shipopt_event is frozen");
static_assert(offsetof(shipopt_event, op) == 8 && offsetof(shipopt_event, status) == 16 &&
		offsetof(shipopt_event, kind) == 20 && offsetof(shipopt_event, value) == 24 &&
		offsetof(shipopt_event, reserved) == 32,
	"shipopt_event is frozen");

static void count(void *userdata, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		static_cast<unsigned char *>(userdata)[i]++;
}

int main()
{
	unsigned char touched[1000] = {};
	shipopt_runtime *runtime = nullptr;
	if (std::strcmp(shipopt_version(), SHIPOPT_VERSION_STRING) != 0)
		return 1;
	if (shipopt_has_feature("carrier") != SHIPOPT_HAVE_CARRIER ||
		shipopt_has_feature("sqlite") != SHIPOPT_HAVE_SQLITE ||
		shipopt_has_feature("postgres") != SHIPOPT_HAVE_POSTGRES ||
		shipopt_has_feature("faults") != SHIPOPT_HAVE_FAULTS)
		return 6;
	if (shipopt_has_feature("teleport") != 0 || shipopt_has_feature(nullptr) != 0)
		return 7;
	if (shipopt_runtime_new(nullptr, &runtime, NULL) < 0)
		return 2;
	if (shipopt_runtime_parallel_for(runtime, sizeof(touched), 0, count, touched) < 0)
		return 3;
	for (unsigned char value : touched)
		if (value != 1)
			return 4;
	if (shipopt_runtime_close(runtime, -1) < 0)
		return 5;
	shipopt_runtime_free(runtime);
	std::printf("shipopt %s from C++\n", shipopt_version());
	return 0;
}
