"""Boot a kernel package under emulation and record what it does.

QEMU without KVM, a small C program, the function tracer.

Nothing is installed and nothing needs root: the package is unpacked, and the guest has an initramfs of
busybox, a few modules, and the program, and three disks: one to map files of, one to swap to, one for the
recording.
"""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from spfvar.errors import InputError, SpfvarError
from spfvar.kernel.letters import Letters, letters_for
from spfvar.kernel.recording import RWSEM_PROBES

#: What has to be there, and the Debian package that has it.
TOOLS: Final = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "cc": "gcc libc6-dev",
    "dpkg-deb": "dpkg",
    "mke2fs": "e2fsprogs",
}
#: Modules that the guest's disks need; what they depend on comes before them.
_MODULES: Final = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
#: Two NUMA nodes, so that the scheduler has something to balance.
_NODES: Final = tuple(
    part
    for node in ("0", "1")
    for part in (
        "-object", f"memory-backend-ram,id=memory{node},size=512M",
        "-numa", f"node,nodeid={node},cpus={node},memdev=memory{node}",
    )
)  # fmt: skip
#: Accesses of the faulting thread in the races of two threads.
ITERATIONS: Final = 4000
#: Seconds after which a guest that is not done never will be.
TIMEOUT: Final = 600

_PROBES: Final = (
    *sorted(RWSEM_PROBES), "_raw_spin_lock", "_raw_spin_trylock", "_raw_spin_unlock", "__rcu_read_lock",
    "__rcu_read_unlock", "ret_down_read_trylock",
)  # fmt: skip
#: Functions that tell a reader of a drift where he is.
_CONTEXT: Final = (
    "__handle_mm_fault", "do_fault", "__do_fault", "set_pte_range", "do_set_pte", "pmd_install",
    "__pte_alloc", "__anon_vma_prepare", "__vmf_anon_prepare", "anon_vma_clone", "anon_vma_fork",
    "unlink_anon_vmas", "unlink_file_vma", "pte_offset_map_nolock", "__pte_offset_map",
    "__pte_offset_map_lock", "do_page_mkwrite", "fault_dirty_shared_page", "unmap_region", "unmap_vmas",
    "free_pgtables", "unmap_page_range", "tlb_finish_mmu", "tlb_flush_mmu", "flush_tlb_mm_range",
    "change_protection", "mprotect_fixup", "move_vma", "move_page_tables", "copy_vma", "copy_page_range",
    "dup_mmap", "vm_area_dup", "vm_area_free", "vma_link", "vma_expand", "vma_merge", "__split_vma",
    "mmap_region", "do_vmi_align_munmap", "vms_gather_munmap_vmas", "vms_complete_munmap_vmas",
    "do_mas_align_munmap", "exit_mmap", "do_madvise", "zap_page_range_single", "unmap_mapping_range",
    "unmap_mapping_pages", "truncate_pagecache", "shrink_folio_list", "try_to_unmap", "do_swap_page",
    "swapin_readahead", "swap_cache_get_folio", "folio_lock_anon_vma_read", "rmap_walk_anon", "call_rcu",
    "mfill_atomic", "mcopy_atomic", "move_pages", "collapse_huge_page", "collapse_file",
    "retract_page_tables", "collapse_pte_mapped_thp", "hpage_collapse_scan_pmd", "folio_mkclean",
    "rmap_walk_file", "do_huge_pmd_wp_page", "huge_pmd_set_accessed", "do_numa_page", "task_numa_work",
    "special_mapping_fault", "pmdp_set_access_flags", "expand_downwards", "expand_stack_locked",
    "acct_collect", "mwriteprotect_range", "userfaultfd_register",
)  # fmt: skip


class BootError(SpfvarError):
    """A guest that did not come to its end."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a guest's tracer printed; ``said``: what its program had to leave out."""

    kernel: str
    trace: str
    said: str


def tracer_script(table: Letters | None = None) -> str:
    """The script that sets a tracer up, for the kernels of a table or, without one, for all."""
    names = set(_CONTEXT)
    for one in [table] if table is not None else _tables():
        names |= {*one.hooks, *one.hook_names, *one.calls, *one.fault_roots, *one.traced}
    text = _guest("tracer.sh")
    return text.replace("@FUNCTIONS@", _wrapped(sorted(names))).replace("@PROBES@", _wrapped(_PROBES))


def _tables() -> list[Letters]:
    return [letters_for(release) for release in ("6.1", "6.12")]


def _wrapped(names: Sequence[str]) -> str:
    lines, line = [], ""
    for name in names:
        if line and len(line) + len(name) > 100:
            lines.append(line)
            line = ""
        line = f"{line} {name}" if line else name
    return "\n\t".join([*lines, line])


def _guest(name: str) -> str:
    return (resources.files("spfvar.kernel") / "guest" / name).read_text(encoding="utf-8")


def check_tools() -> None:
    """Raises InputError for what is missing, with the packages that have it."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing:
        raise InputError(
            f"booting a kernel needs {', '.join(missing)}",
            key="--boot",
            expected=f"in Debian: apt install {' '.join(TOOLS[name] for name in missing)}",
        )


def record(
    package: Path, iterations: int = ITERATIONS, told: Callable[[str], None] = lambda _: None
) -> Recorded:
    """Boot the kernel of a Debian package and record it; ``told`` gets what is being done.

    Raises InputError for a package without a kernel and for missing tools, BootError for a guest that fails.
    """
    check_tools()
    with tempfile.TemporaryDirectory(prefix="spfvar-") as name:
        work = Path(name)
        told("unpacking the package")
        kernel, modules = _unpack(package, work / "package")
        told("making the guest")
        initramfs = _initramfs(work / "root", modules, iterations)
        disks = _disks(work)
        told("booting (half a minute)")
        console = _boot(kernel, initramfs, disks)
        return _result(disks[-1], console, _version(package))


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BootError(f"{Path(str(command[0])).name} fails: {said[-1] if said else done.returncode}")


def _unpack(package: Path, into: Path) -> tuple[Path, Path]:
    into.mkdir()
    if not package.is_file():
        raise InputError("there is no such file", file=str(package), expected="a package linux-image-*.deb")
    done = subprocess.run(
        ["dpkg-deb", "-x", str(package), str(into)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError("not a Debian package", file=str(package), expected="linux-image-*.deb")
    kernels = sorted(into.glob("boot/vmlinuz-*"))
    modules = sorted(path for path in into.glob("**/lib/modules/*") if path.is_dir())
    if not kernels or not modules:
        raise InputError(
            "no kernel in it", file=str(package), expected="a package linux-image-*.deb, not a meta-package"
        )
    return kernels[0], modules[0]


def _initramfs(root: Path, modules: Path, iterations: int) -> Path:
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(str(shutil.which("busybox")), root / "bin" / "busybox")
    order = []
    for file in _in_order(modules):
        name = file.name.partition(".ko")[0] + ".ko"
        order.append(name)
        (root / "modules" / name).write_bytes(_module(file))
    (root / "modules" / "order").write_text("".join(f"{name}\n" for name in order))
    (root / "init").write_text(_guest("init.sh").replace("@ITERATIONS@", str(iterations)))
    (root / "init").chmod(0o755)
    (root / "tracer.sh").write_text(tracer_script())
    source = root.parent / "provoke.c"
    source.write_text(_guest("provoke.c"))
    _run(["cc", "-O1", "-static", "-pthread", "-o", root / "provoke", source])
    image = root.parent / "initramfs"
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    with image.open("wb") as out:
        done = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    if done.returncode:
        raise BootError(f"cpio fails: {done.stderr.decode(errors='replace').strip()}")
    return image


def _module(file: Path) -> bytes:
    raw = file.read_bytes()
    return lzma.decompress(raw) if file.suffix == ".xz" else raw


def _in_order(modules: Path) -> list[Path]:
    """The modules that are needed and not built in, each behind what it depends on."""
    files = {
        path.name.partition(".ko")[0].replace("-", "_"): path
        for path in modules.rglob("*.ko*")
    }  # fmt: skip
    order: dict[str, Path] = {}

    def add(name: str) -> None:
        file = files.get(name)
        if file is None or name in order:
            return
        for other in _depends(_module(file)):
            add(other)
        order[name] = file

    for name in _MODULES:
        add(name)
    return list(order.values())


def _depends(module: bytes) -> Iterator[str]:
    """What a module's .modinfo says that it depends on."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    if found is not None:
        for name in found[1].decode().split(","):
            if name:
                yield name.replace("-", "_")


def _disks(work: Path) -> list[Path]:
    disks = []
    for name, megabytes in (("files", 64), ("swap", 64), ("recording", 256)):
        path = work / f"{name}.img"
        with path.open("wb") as file:
            file.truncate(megabytes << 20)
        disks.append(path)
    _run(["mke2fs", "-q", "-F", "-t", "ext4", disks[0]])
    return disks


def _boot(kernel: Path, initramfs: Path, disks: Sequence[Path]) -> str:
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", *_NODES,
        "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", "console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on mitigations=off",
    ]  # fmt: skip
    for disk in disks:
        command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BootError(f"the guest was not done after {TIMEOUT} s: {_tail(error.stdout or b'')}") from None
    return done.stdout.decode(errors="replace")


def _tail(console: bytes) -> str:
    lines = console.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it printed nothing"


def _version(package: Path) -> str:
    """The kernel's version, which its release's name may not say (6.1.0-50-amd64 is 6.1.176)."""
    command = ["dpkg-deb", "-f", str(package), "Version"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return found.strip().partition("-")[0].rpartition(":")[2]


def _result(disk: Path, console: str, kernel: str) -> Recorded:
    try:
        with tarfile.open(disk) as archive:
            found = {}
            for name in ("recording", "said"):
                file = archive.extractfile(name)
                found[name] = file.read().decode(errors="replace") if file is not None else ""
    except (tarfile.TarError, KeyError) as error:
        raise BootError(f"the guest left no recording: {_tail(console.encode())}") from error
    return Recorded(kernel, found["recording"], found["said"])
