"""Kernels that start warm: a fork of a process which has already imported what the notebooks import.

Starting a kernel and importing torch takes seconds and is the same for every notebook. Jupyter lets another
class start kernels (a *kernel provisioner*), and every tool that runs notebooks through Jupyter obeys it:
`nbgrader autograde`, nbval, nbclient, nbconvert. Ours keeps a **fork server**, a process that has imported
ipykernel and the modules of the preload list and does nothing else; each kernel is a fork of it.

::

    Jupyter process                          fork server (one per user, environment and preload list)
    provisioner.py  decides warm or cold     server.py   listens on a private Unix socket, forks, reports ends
    client.py       finds or starts a   ──→  preload.py  imports the list, once, without running anything
                    server, asks it          child.py    what a fork does before it is an ordinary ipykernel
    settings.py     who may share a server; wire.py: messages with open files

It is an accelerator and no security boundary: a warm kernel has the rights of the user, as a cold one has.
Whatever cannot be done warm is done cold, by Jupyter's own LocalProvisioner. See docs/kernels.md.
"""
