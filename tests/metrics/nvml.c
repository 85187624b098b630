/* Two GPUs for the real pynvml: as much of libnvidia-ml.so.1 as llamactl asks for. Structures and numbers are those of
   nvml.h, 13. `pretend` changes what is told: tests call it through ctypes. */

#include <string.h>
#include <stdio.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, UNKNOWN = 999 };

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute; } Process;
typedef struct { int index, failing; unsigned long long used; unsigned pid; unsigned long long held; } Gpu;

static Gpu gpus[2] = {{0, 0, 3ULL << 30, 0, 0}, {1, 0, 1ULL << 30, 0, 0}};
static int up, refuses, count = 2;

/* what: 0 an error of every question about this GPU, 1 bytes in use, 2 pid of a process, 3 what that holds,
   4 an error of nvmlInit, 5 how many GPUs there are, 6 is it initialised? */
long long pretend(int gpu, int what, long long value) {
    switch (what) {
        case 0: gpus[gpu].failing = value; break;
        case 1: gpus[gpu].used = value; break;
        case 2: gpus[gpu].pid = value; break;
        case 3: gpus[gpu].held = value; break;
        case 4: refuses = value; break;
        case 5: count = value; break;
        case 6: return up;
    }
    return 0;
}

int nvmlInitWithFlags(unsigned flags) { if (refuses) return refuses; up++; return SUCCESS; }
int nvmlShutdown(void) { if (!up) return UNINITIALIZED; up--; return SUCCESS; }
const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "it failed"; }
int nvmlDeviceGetCount_v2(unsigned *n) { if (!up) return UNINITIALIZED; *n = count; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **handle) {
    if (!up) return UNINITIALIZED;
    if (gpus[index].failing == GPU_IS_LOST) return GPU_IS_LOST;
    *handle = &gpus[index];
    return SUCCESS;
}

#define ASK(name, type, ...) \
    int name(Gpu *gpu, type *out) { if (gpu->failing) return gpu->failing; __VA_ARGS__; return SUCCESS; }
#define ASK2(name, type, ...) \
    int name(Gpu *gpu, unsigned which, type *out) { if (gpu->failing) return gpu->failing; __VA_ARGS__; return SUCCESS; }

int nvmlDeviceGetName(Gpu *gpu, char *out, unsigned size) {
    if (gpu->failing) return gpu->failing;
    snprintf(out, size, gpu->index ? "NVIDIA GeForce GTX 1080" : "NVIDIA GeForce RTX 4090");
    return SUCCESS;
}
int nvmlDeviceGetUUID(Gpu *gpu, char *out, unsigned size) {
    if (gpu->failing) return gpu->failing;
    snprintf(out, size, "GPU-%d", gpu->index);
    return SUCCESS;
}
ASK(nvmlDeviceGetPciInfo_v3, Pci, memset(out, 0, sizeof *out); snprintf(out->bus_id, 32, "00000000:0%d:00.0", gpu->index + 1))
ASK(nvmlDeviceGetUtilizationRates, Utilization, out->gpu = 42 + gpu->index; out->memory = 7)
ASK(nvmlDeviceGetMemoryInfo, Memory, out->total = (gpu->index ? 8ULL : 24ULL) << 30; out->used = gpu->used; out->free = out->total - out->used)
ASK(nvmlDeviceGetPowerUsage, unsigned, if (gpu->index) return NOT_SUPPORTED; *out = 123456)
ASK(nvmlDeviceGetEnforcedPowerLimit, unsigned, *out = 450000)
ASK2(nvmlDeviceGetTemperature, unsigned, *out = 61 + gpu->index)
ASK2(nvmlDeviceGetClockInfo, unsigned, *out = which == 1 ? 2520 : 10501)

static int processes(Gpu *gpu, unsigned *n, Process *out, int there) {
    unsigned room = *n;
    if (gpu->failing) return gpu->failing;
    *n = there;
    if (!there) return SUCCESS;
    if (!out || room < 1) return INSUFFICIENT_SIZE;
    out[0] = (Process){gpu->pid, gpu->held, 0, 0};
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, unsigned *n, Process *out) { return processes(gpu, n, out, gpu->pid && !gpu->index); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(Gpu *gpu, unsigned *n, Process *out) { return processes(gpu, n, out, gpu->pid != 0); }
