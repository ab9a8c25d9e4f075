internal import CHost

/// What others may see of the process's memory, which has the guests' in it.
public enum ProcessMemory {
  /// Keeps the memory of the whole process from core dumps, and from other processes of the same user: no debugger
  /// attaches to it, and its files in /proc are root's (`PR_SET_DUMPABLE`). What it starts is not concerned.
  ///
  /// `apus` does so first of all. A program over the library decides for itself: guest memory alone is left out of its
  /// core dumps in any case.
  public static func hide() {
    // It has no reason to fail.
    _ = chost_process_hide_memory()
  }

  /// Has all threads that are started from now on allocate from one heap. The C library would give each a heap of its
  /// own, which with large pages takes 2 MiB, zeroed, for a few small objects: for a program of many threads of which
  /// few allocate at the same time.
  package static func shareHeap() { chost_process_share_heap() }
}
