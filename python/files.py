"""Files that appear whole: under a name of their own until they are complete, then in place at once."""
import os
import stat
import tempfile


def mode_of(path):
    """The mode of a file that is there, else what the user's umask leaves to a new one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def write_whole(path, content):
    """Write bytes. Two programs that write the same file do not mix: the later one wins. A symbolic link stays a link, and a file
    that is replaced keeps its mode."""
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
