"""A distance that knows which regions of faces are crowded.

dlib's encodings crowd: some faces lie near everybody's, and few strangers cause most false accepts. A face in
a crowd lies near one of a few typical faces, the centres below. So two faces are compared by their distance,
plus a share of how much nearer than usual each of them lies to its nearest centre.

Source of the centres: k-means of one encoding (policy ``mirror``) of each of the 2,132 people of LFW's
development pictures (deep-funneled), 32 centres of 36 to 123 people each, November 2026. None is within 0.23
of anybody. Form and share were chosen on splits of these people in halves: centres from one half, strangers
and enrolled people from the other. In five splits, of 100 people with one picture 0.77 are recognised in one
frame where 0.1 % of strangers are taken for somebody, and 0.68 by the plain distance; with up to three
pictures 0.93 and 0.87; of 500 with one, 0.67 and 0.50 (`benchmarks.people`). Shares of 0.2 to 0.3 and 16 to
64 centres do about as well; the mean of the nearest four centres, a soft minimum or fewer than eight centres
do worse.
"""

import base64

import numpy as np
import numpy.typing as npt

from turnstile.people.encodings import ENCODING_SIZE, Encodings

SHARE = 0.25
"""How much of a face's nearness to its centre counts."""

USUAL = 0.335
"""Mean distance of a face to its nearest centre: so that distances stay, on average, what they were."""

FARTHEST = 0.40
"""Distances to the nearest centre count up to here; 99 % of faces are within 0.394. What is no face lies
beyond, and would be brought near everybody."""

_SCALE = 400
_CENTRES = (
    "7BQL+Of6BeQf+T/tsucAHd7m3OsQCQ0F2abs5gbcAxfT5wYS7+s4BdYFDEs4AwT0Iq8RJSQTI90GJsoVDub47CgY5+gl3u0T"
    "4c6xD2cjwv3zABMD7/ThBjDy8kIBAxUL6P/fAxfV/hLQK/78/fDiCS+xPTP5JAsN/v3e3hEDAQfqFRXj4wL33DXmJPO/APUr"
    "0sjo+P8RCg7YqfLsA+kIHNEBEB/z3TICwPESQjsABOYerAsoCxUP0QohzA4U3v/uNxfe1y/W8BTi0r33YyHaC+b/+B789OcB"
    "QvAAQv31/RLgCeH4AfkDJcoy+/gJ9PHtL7ktNBEqCBkK/dbsCPz4E+0WBfbt+wXgIPI89a7p/xvQ59PmCAoM/Nmw7OQQ5xAQ"
    "zfH/DO3tOgTYAAg/Q/0F6B+yCigbHRbdCinIEw/W9vweFPHZM8/rFOvTrAdhJdIE7fMSBe3n4Aw57/pAAvoUDOQA5f4X1AMS"
    "1DH79gHk7gs5v0U1/SYNFvX61eEEBgMI4x4M9N4K+eQi7DX+uwP1H9jh0dr8EQD91rnw6x/iBgPP8wgM7ew/A9cLFEUz/wjr"
    "IbYTJyccFtMDLdYiGuTt+Csa5tEx2vAY7tq7EW4mzQDw+AsK4uftCzz++TgO/QoV2vTq/hThBRzUPPf6Av7xBje7PTL/IBgS"
    "BwvV2ADrAw/iFQby3fYE3x3wMfa16AAf39jS4vsDAP3gse3tEOsRFc/rBxPq8Dv/0gIOSDsACOsluBEnJxQX3g0rwhIZ2Onw"
    "KR3s2D3U7xHt2bMMaCrRAPD8DQTh5+UFNfr4Nw74EQfl++P7GNQLFtg4+wP/8vEEMME+LP0kFBb7+dfdCP4MFegYG+nhBQHi"
    "M+My+7UD/SrX2tz1ABYQBNeq8uwG8wAZ0wARFuXnOvvB+Q8xQvoH4x2sCCsIGg/S/i3NBRLe8fYrG9nQLdT5IODPxwJtHNwD"
    "4vr9Dvfp6wU87gFDA/wBFuMA3PcA7gAczTn5+wnu7vkwujQtBioPFQb90ugR/AEG6RkG9+cA+98u8Tv9vPDwFdjj3+wDBg0A"
    "3K/n3yHiAwjL7AUL7PJBAtgAC0IyBgjmIrwULSwZHNMMJcYgFfDz/yoZ7NY20v8j783CCG4r1wPl7wn/4fDnBzT7/jsHAQoL"
    "4AHsAgzZBQ7QL/33//foBDetRywCJQ0TA/fc3//sAgjbHRj9++cM3C30S/rI1wgg1N/j4wAEEQzopePOHOgIEMzr+gwK+z0D"
    "2/kDSDX8CgIXxgYbNg4Q0AENyBYS3+cJPxzp2zXbABzc4r4WbxnIAcwF/P/lAdgCIvr4PPkNBvrw/e76E94GEMgj/gAAEOz5"
    "MbtBNvUnBhz1/OTrB/gDDOESFOfZ+v7kLN0p7MD8/jjWz9zw/xIAEdyj8+7/8gQh1PcQHe7lN/66+xpAOf4G8CSu/iASFBLU"
    "CifABhHT+PA3GuDZNNP3FuTStPxmItoF9P4GGfnv6gQ89QE/CfcCEeH83QH88gQb0zD2+vT47/YnwSgyAysNDgH40uYW+AkP"
    "4RMX7uH//d4y4Svxtg7xKtHU5+4JFgUV1q7u5gfy/BDUARQX8eI7A8L2FTo3+gHjKK3/LhMWGc4EKM4PC+D89SsV3dwv0vsk"
    "5snJ/XIi1wrs+ggW8/jmBj3zBkYB/gsX2vjf9ATwARbLJ/bw+fHu/y+3Kiv6LAYMAPPe5RH3AfrbEwf03vz/6x/7L/a58Pwc"
    "29vY2wkJ/wfMu+3pEtwKEczqChfz8ToB2AQUTDQBCPUlsxAqJRcd1QkvzCEP3/H0KBfr0zHa7yHr164LaSPHBfT9DwTk9uAL"
    "PAD3NxH+FBDj8ub/F9sCFtgy+/zo9ukPM7M8M/cfEAr+AuLdB/AKD+QfEwHy8vLUIu5E8crk+irR3eP0B/8T/+iY5uMV8PME"
    "yeMLFfv1PPzMCxBHQREF5x7JESQmEBLgBhrTCB3r9/o6GOfXJNzzCd3YqAh7GscJ6/sbE+774/809fQy9w4MDOcG2/gP8gYb"
    "zyD8BQwE6fEnuzw3/SAbFgIM0OgKAREL3QkY7tn1Btss3ynsuAPyLtrP2uv7Gv8F3q/y7Qn5BSnO+hUb6ehA+7/3GjY99P/n"
    "JKz2LRYYFNMDK8cGCdT08yoT49g5zvkh6NPA+msZ3wzv9P8L8OrqA0HxBjsD9wQR4fbg9gbpBRzRLPP3+ur2Ai7DMybzKwoM"
    "+/jY3hX8BQbqGRX/8PPzzx7qS+vI3/Ezyd7s/xUDDv7tm+LqE/fvCMjnDhP87jj6xgwRQD0OBtwh0QcmIRQF4Ach2gQe5Pz2"
    "NQ7lyyHc6QzX2KcAeBDGC+//JiH//9/5POn3OPcTCw3wEN/7DfcCG9Yf/BEO9OnzI709NgMdHRr+A8ftEwERAeoWCPfb+vni"
    "GPAz8Lj3ACLf3s7d9v4J/dey6OsR6AsKxOcHEPHuPwDWEhZCPwQG8yGzFiIsFBrhCTHPFhfj7/EsH/DcNtvxDOzeqBFkJcsB"
    "9P8E/OPh6Qk79f00CPkPDdzx4AAV3AYazSzz8vz/8AQyvz808RwWE/0L29QE+wYX5BIM+/Xu/t0u7TH3we38Gtrb4ugKBg8A"
    "1KDh5BDqAwPH6AYS+vU7CtMADU0zDwXsG7saIyENJ98KHMQYGfb3/zAZ6uMrz/oM7s6rCnUq0Ars+B0D4gLkCzIC8zf9ARAL"
    "3P7e/BfqCBvOJv7u/Qfe9ya0NjT1JQ0NAQfc4gL/EAzhFBbo4Pz+4TPuLvK0/u4o1dPt8wwJDBTasPHt+egMINEBCSDw3TT8"
    "xfIUPDv3BeskpwcvChUXzAgpzg0N3/7sLB3f1jDT9yXhyMcBYyTeDOj9+hj/+t0BOvT/TQL3BhHjB937/uz8EdMo9//z5u8B"
    "LrIxJwsvCRYK7eLvCfn6C+kTEP3m9v/cJegz+L78+CDT39re/w4H+N2r6OYh7AsE0fAKEfLxQAbRCBBHOAUI5x28FSQjGR7Z"
    "CCjQICLj/gEnDe/cM8/wDu/arghzJdUD8vUVC+fp5Qg4+/01AfwMEdf86fcS3QseyzX09AQB8wQ3wz47+iQOE/sG097y9wYT"
    "5yIJ8+UD+e4u+zX6uP3pG8zo3+sRFAkI1K3t4hDZBQrK6wQF8e43DNsKDFIxCATpHrUSLx0YG9UJJsseFfUA9yUP6d8j3PcV"
    "6cm2D2ks0QPo9g3/3/jlEjb9+EQI9g8O2v7fBA7d/RjNKADu9PrXAzi4PjMKJhQJ/f7i4RD4CAXeGB7n2QD64S/gJ/rDD/Iw"
    "0c7h6vsWBA/dsPL0DvAFG9YFERzw3zYBwfkZP0T4BuglqwYpDBoVywQk1Q8S3f3wLhzhyzfS8B3k2MP9ZybdDPD8/B307+gA"
    "QPz7QQb3BRjc/9rz/fYCI9M48AD4+fP/LcEvLgcnEBQJ/t3nBvH+E+kaBfHiCwHmJ/U2+LHpAxvd5tjpBAYJA9Sz8OAQ2gkR"
    "1PEAD+jrO/fZ/wk/NPkN7yWyDycjGhfVCi7CHxTm6/cqHOHXKtr7HuTGvxJhKcv96/kJBevo6Awz8/1DDvsGDOgA7AsS1AMN"
    "1zz/AP7q5Qg7sD8uBiYOFwf92OYO8v0J6RMK9+rsBuAm7C/4vvL6Idfg2OACCwoA2LDp6w7tERHK5wkH7vA/E88PClE9AgLo"
    "I7MRKCISHuIMJ8YWGuT89yIU6+cx2fAL7NGqD2cv0QHrAxMG4+nsBjH97TsD9g4J1/nb9xTgCyHKM/nx/gDpBybERDX6JRYJ"
    "9gPi2gkGEwvjGgzy3Qv35izoOPrC+f4g1tzr6ggR+w3SqO/pEuUAEdj5Chjt7jgI0QMMRzAADeoouBMrIRYX1P8szB4V6ff0"
    "LBzl0y/a6Brny7wPaSrNA/T1EBHv7egIPQL9QAsDChPf/+P3C+oDG8w/+vv8+egJM7c0Kw0qFAsH9NHkCu8BC+EfEfPr9vfu"
    "LvdB97zi+R7W4vHyFAQOD9mb6N8C3P4RzukCF/v1NQPZAwZOLwQK9iG7EywpCx3fBCjCFxDw9PQwHuDhJeH5Ft/IuxVrKMcD"
    "4/wJAOcC3Q8pAfY/AgsNCOYB3AMM3/sO0SEC+PMC2f4rsDstBSoRCwLv5eYT/A8D8xwP+PL8+uol8zv4ufbzH9Xv0ecBDBP6"
    "2Kzr4hLiBwjJ6QUH8PI/DdUVEERBBALpIbMTJycdId0HKs4aEun9+x8S6OEs2voU7dStEWYszwHm8wQE6ejwCDD4+Tz9/wcM"
    "0fng/gnaAxfLLPjsAwPtBjO5SDf8IRgR/Qje2P7+BwjdHw3y5QXy6i7yOAHD+vIc1uDl6AgEBQvSquvhEt/9/c3tBQz78zoB"
    "2RAPTDAKC+4mvBsmJg8a1P4sziUT+/X2MyLh1irg+xLlz74XcSzKA+T8CALh9uoLNwn3OwcACBHV++D7DOoGHMot+fr7EOL+"
    "L7Y9LgokGAoLCN/iCfAQDd8SFO3f/fDeMd8t8roH6S/W0/b3CwIHGtec7Oz47QIRygIKIfbkLQa97xQ/MQIK6iO1CCcTDxTS"
    "CSHQChLt/PE7ItzgOdP7EeLGvv1sK9kK7gQCI/gL6gg4/QBD/P8LEtf+2fb9+gMbzyn29/sD6/EkvSspCCwPEwjz2+oJ7wUD"
    "0B0e//jsCecn9lD4zNgLIdPd7uYFAQUP3aPq1BTjBRLK8PUNDf8zBtrz/VUx/QYIEsEKIDMKBNr4DMkXEuPl+0ge4t004/kV"
    "2dy6H2QXwADHCvoD6wfbBCb79z38Awb68/zn9hTlAhrFKwUCBw/k7S+/OTQGJwsZ9v/j8RL0AQzsHBL04fj06SHzMvK+A+0j"
    "2tra3wMQAwTWr+vjE+IABczqDQzx6z0S1REYVjYLBfIdtRcrJhcm2Qsjzxsb+vvyLBXr4yfY7gvm27AObizNBfj8EP7d9eoJ"
    "Nf74MwP3EA7W9t39D+MAHskk+ezyDd8AMMA4OfoZGQb+C+HTBPoJDugjBe3eBvbpIP9E+rPq+B3c6NzkAwkNBdi07eoM0wcT"
    "zOkIEunpQP/gCRBHNvoF8iK5ES4pFhPaAzLMEQrk7OsqIOPULOjvHOHRuRdcIMYA7vb6AuXt6Asy9vI9CQYRD+X73wUS1fwW"
    "1jAB+vfy5gc2r0ksBCMbEAX94dwP9wYL2BYZ7e/xBNEy5kLxvuv5L9HU8vUHAA0Z4aDk2wPyABjD+AUS/O4w+8TmEDw1+gLv"
    "EMX8Hx4JBsr+E9ACBd7r9kgb2N842QUW19C8+2kPyw3UB/sc9Q/n/y7uAkXxAwoB7vjd9Pzu/BnEGwn8A//p4yu3MTIALgsX"
    "+/bd+xruAv7jFRXt4PPs1SffP+vF7+47zNTzAhIDCQjhnOjyAfT0DsjzDx7/4zH6swUXOzX/B9gmzgQiFQsD3wgr1v0h6frm"
    "NhjgyiTb7A3X0K75aBfKDfYFGycBCub8Ru7/Pf0LCQznC9X9Avr/HtQi+wkH+u7rIsczMBEhIRcAAcr0GfUVAQ=="
)

CENTRES: Encodings = (
    np.frombuffer(base64.b64decode(_CENTRES), np.int8).reshape(-1, ENCODING_SIZE) / np.float32(_SCALE)
).astype(np.float32)
"""float32 `(32, 128)`: typical faces, nobody's own."""

_HALF_SQUARES = (CENTRES**2).sum(axis=1) / 2


def crowding(encodings: Encodings) -> npt.NDArray[np.float32]:
    """Return float32 `(n,)`: what is added to each distance of a face; positive in a crowd.

    Args:
        encodings: float32 `(n, 128)` of unit length.
    """
    return _crowding(encodings, CENTRES, _HALF_SQUARES)


def crowding_about(encodings: Encodings, centres: Encodings) -> npt.NDArray[np.float32]:
    """Return what `crowding` does, with other centres `(k, 128)`."""
    return _crowding(encodings, centres, (centres**2).sum(axis=1) / 2)


def _crowding(
    encodings: Encodings, centres: Encodings, half_squares: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    nearness = (encodings @ centres.T - half_squares).max(axis=1, initial=-np.inf)
    squares = np.einsum("ij,ij->i", encodings, encodings) - 2 * nearness
    return np.asarray(SHARE * (USUAL - np.minimum(np.sqrt(np.maximum(squares, 0)), FARTHEST)), np.float32)
