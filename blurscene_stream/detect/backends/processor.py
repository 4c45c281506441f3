"""The processor, and which number formats it multiplies: what back ends choose their precision by."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_FAST_BF16 = ("avx512_bf16", "amx_bf16")
_FAST_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8")


def has_fast_bf16() -> bool:
    """Whether the CPU multiplies bf16, by AVX512-BF16 or AMX: 1.5 to 2.5 times as fast as float32."""
    return any(flag in cpu_flags() for flag in _FAST_BF16)


def has_fast_int8() -> bool:
    """Whether the CPU multiplies and adds int8 in 32 bits, by VNNI or AMX; older ones add in 16, which overflow."""
    return any(flag in cpu_flags() for flag in _FAST_INT8)


def cpu_flags() -> frozenset[str]:
    """Return the CPU's feature flags, from /proc/cpuinfo; none where there is no such file."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
