"""The local machine: directories, locks between processes, ports, and the directory of one run."""
