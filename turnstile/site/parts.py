"""Which part of a site each process heeds. A change of that part, and of no other, needs a restart of it."""

from turnstile.site.plan import SECTIONS, processes
from turnstile.site.settings import Site


def part_of(site: Site, kind: str, name: str) -> tuple[object, ...]:
    """Return what a process heeds of its site, to be compared with the same of another site file.

    Args:
        site: the whole.
        kind: the process's kind or role, or the name of its command.
        name: what its entry in the site file is called.
    """
    broker = site.broker
    joins = (kind, site.site, broker.ingress, broker.egress, site.keys)
    match kind:
        case "broker":
            watched = processes(site, cores=1) if site.metrics is not None else ()
            asks = (*site.loggers, *site.webhooks)
            own: tuple[object, ...] = (broker, site.gallery, site.decision, site.unknowns, watched, asks)
            return (*joins, *own, site.metrics, site.recognition.encoding, tuple(site.cameras))
        case "recognizer":
            return (*joins, site.recognition)
        case "capture":
            sizes = (broker.max_frame_bytes, broker.max_frame_px, site.recognition.min_face_px)
            return (*joins, *sizes, site.cameras.get(name))
        case "display":
            display = site.displays.get(name)
            shown = () if display is None else display.cameras or tuple(site.cameras)
            rates = [(camera, site.cameras[camera].max_fps) for camera in shown]
            return (*joins, display, rates)
        case "web":
            rates = [(name, camera.max_fps) for name, camera in site.cameras.items()]
            return (*joins, site.web, rates, site.displays, site.decision, tuple(site.loggers))
        case _:
            return (*joins, getattr(site, SECTIONS.get(kind, "cameras")).get(name))
