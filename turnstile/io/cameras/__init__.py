"""Cameras: a webcam, a stream, a video file or pictures, read by a process that can be killed.

A read that hangs inside a driver or a network library cannot be interrupted. In a thread it would keep the
device, and more: OpenCV opens FFmpeg sources one at a time. Of 20 opens in threads against a server that says
nothing, one reached the server and the others waited for it (OpenCV 4.14). So each camera is read
by a child process (`reader`), which sends finished JPEGs through a pipe (`pipe`); the node's side (`feed`)
watches it from outside, kills it, and starts another one. `source` tells what the site file names.

Measured on 2 cores: the pipe costs 0.2 ms for a frame of 63 kB, and killing a hung reader 16 ms. Starting one
takes 0.3 to 0.5 s, most of it for loading OpenCV.
"""

from turnstile.io.cameras.feed import Feed
from turnstile.io.cameras.pipe import Shot
from turnstile.io.cameras.source import order_for

__all__ = ["Feed", "Shot", "order_for"]
