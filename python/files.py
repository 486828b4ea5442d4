"""Files that appear complete: they have a temporary name until they are complete, and are then renamed."""
import os
import stat
import tempfile


def mode_of(path):
    """The mode of an existing file, else the mode that the user's umask gives to a new file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def write_whole(path, content):
    """Write bytes. If two programs write the same file, the contents do not mix: the later one wins. A symbolic link stays a link, and a
    replaced file keeps its mode."""
    path = os.path.realpath(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)[:100]}.", suffix=".part", dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode_of(path))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
