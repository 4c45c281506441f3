"""The processor, and whether it multiplies bf16: what back ends choose their precision by."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_FAST_BF16 = ("avx512_bf16", "amx_bf16")


def has_fast_bf16() -> bool:
    """Whether the CPU multiplies bf16, by AVX512-BF16 or AMX: 1.5 to 2.5 times as fast as float32."""
    return any(flag in cpu_flags() for flag in _FAST_BF16)


def cpu_flags() -> frozenset[str]:
    """Return the CPU's feature flags, from /proc/cpuinfo; none where there is no such file."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
